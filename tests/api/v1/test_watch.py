"""Watches without the edge: each holds a thread, so there are few and short ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from configsvc.access.decide import Access
from configsvc.api.guard import install_guard
from configsvc.api.v1.watch import WatchApi
from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book

pytestmark = pytest.mark.slow

WATCH = "/api/v1/watch"


@pytest.fixture
def book() -> Book:
    book = Book()
    book.put("a.json", b"{}\n")
    return book


def app_with(book: Book, most: int, seconds: float) -> Flask:
    service, app = ConfigService(book.store), Flask("x")
    install_guard(app, Access(book.store.snapshot), service)
    app.add_url_rule(WATCH, "watch", WatchApi(service, most=most, seconds=seconds).get)
    return app


def test_a_watch_tells_what_changed_and_then_to_come_again(book: Book) -> None:
    client = app_with(book, 1, 0.2).test_client()
    told = [client.get(f"{WATCH}?since=1").text for _ in range(2)]  # the turn was given back
    assert all("id: 2\nevent: change\n" in text for text in told)
    assert all(text.endswith("event: reconnect\ndata: {}\n\n") for text in told)


def test_a_change_wakes_the_thread_that_waits(book: Book) -> None:
    with app_with(book, 1, 20).test_client() as client:
        response = client.get(WATCH)
        events = response.iter_encoded()
        assert next(events).startswith(b"retry:")
        book.put("b.json", b"{}\n")
        assert b'"service": "b"' in next(events)
        response.close()


def test_there_are_no_more_threads_than_that_for_watches(book: Book) -> None:
    client = create_app(ConfigService(book.store), Settings()).test_client()
    held = [client.get(WATCH) for _ in range(8)]
    refused = client.get(WATCH)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert client.head(WATCH).status_code == 200
    held[0].close()
    again = client.get(WATCH)
    assert again.status_code == 200
    for response in [*held, again]:
        response.close()


def test_a_read_waits_for_a_change_without_the_edge_too(book: Book) -> None:
    app = create_app(ConfigService(book.store), Settings())
    one = "/api/v1/configs/a"
    tag = app.test_client().get(one).headers["ETag"]
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(app.test_client().get, f"{one}?wait=60", headers={"If-None-Match": tag})
        book.put("a.json", b'{"v": 1}\n')
        assert asked.result(20).get_json() == {"v": 1}
    same = app.test_client().get(f"{one}?wait=1", headers={"If-None-Match": asked.result().headers["ETag"]})
    assert same.status_code == 304


def test_who_waits_is_answered_when_the_server_stops_and_who_comes_later_does_not_wait(book: Book) -> None:
    service = ConfigService(book.store)
    app, one = create_app(service, Settings()), "/api/v1/configs/a"
    headers = {"If-None-Match": app.test_client().get(one).headers["ETag"]}
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(app.test_client().get, f"{one}?wait=60", headers=headers)
        service.drain()
        assert asked.result(20).status_code == 304
        assert (
            pool.submit(app.test_client().get, f"{one}?wait=60", headers=headers).result(20).status_code
            == 304
        )
