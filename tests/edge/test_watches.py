"""Watches through a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection

import pytest

from configsvc.app import create_app, unlogged
from configsvc.core.principals import format_time
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.watches import make_watches
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book, bearer
from tests.edge.running import PATIENCE_S, ask, get, running

WATCH = "/api/v1/watch"


class Events:
    """Reads the events of one watch."""

    def __init__(self, port: int, target: str, *headers: str) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        given = dict(header.split(": ", 1) for header in headers)
        self.connection.request("GET", target, headers={"Host": "localhost", **given})
        self._response = self.connection.getresponse()
        assert self._response.headers["Content-Type"] == "text/event-stream"

    def next(self) -> dict[str, str]:
        """Return the next event's fields; empty at the end."""
        fields: dict[str, str] = {}
        while line := self._response.readline().decode():
            name, separator, value = line.rstrip("\n").partition(": ")
            if separator and name:
                fields[name] = value
            elif "event" in fields:
                return fields
            else:
                fields = {}
        return {}


@contextmanager
def following(port: int, target: str, *headers: str) -> Iterator[Events]:
    events = Events(port, target, *headers)
    with closing(events.connection):
        yield events


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture(params=[False, True], ids=["edge", "wire"])
def wire(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def port(book: Book, wire: bool) -> Iterator[int]:
    with served(book, Settings(open=True, wire=wire)) as port:
        yield port


@contextmanager
def served(book: Book, settings: Settings) -> Iterator[int]:
    service = ConfigService(book.store)
    app = create_app(service, settings, access=book.access)
    hot = HotAnswerer(unlogged(app), book.access, service, settings.hot_cache_bytes)
    watches = make_watches(service, book.access, settings)
    with closing(hot), running(app, settings, hot=hot, answerers=watches) as port:
        yield port


def services(event: dict[str, str]) -> list[tuple[str, int, bool]]:
    return [(s["service"], s["version"], s["deleted"]) for s in json.loads(event["data"])["services"]]


def test_changes_come_as_they_land_and_before_that_what_was_missed(book: Book, port: int) -> None:
    book.put("a.json", b"{}\n")
    book.put("b.json", b"{}\n")
    with following(port, f"{WATCH}?service=a&prefix=c/&since=1") as events:
        first = events.next()
        book.put("c/d.json", b"{}\n")
        book.put("b.json", b'{"x": 1}\n')
        book.put("a.json", None)
        found = [first, events.next(), events.next()]
    assert [(each["event"], each["id"], services(each)) for each in found] == [
        ("change", "2", [("a", 0, False)]),
        ("change", "4", [("c/d", 0, False)]),
        ("change", "6", [("a", 1, True)]),
    ]


def test_the_last_event_id_wins_over_since(book: Book, port: int) -> None:
    for number in range(4):
        book.put("a.json", b'{"v": %d}\n' % number)
    with following(port, f"{WATCH}?since=0", "Last-Event-ID: 4") as events:
        assert events.next()["id"] == "5"


def test_a_snapshot_comes_before_what_changes(book: Book, port: int) -> None:
    book.put("a.json", b"{}\n")
    with following(port, f"{WATCH}?snapshot=true") as events:
        first, second = events.next(), events.next()
        book.put("b.json", b"{}\n")
        third = events.next()
    assert [first["event"], second["event"], third["event"]] == ["snapshot", "ready", "change"]
    assert ("id" in first, second["id"], third["id"]) == (False, "2", "3")


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("since=2", ""),
        ("since=-1", ""),
        ("since=x", ""),
        ("since=0&snapshot=true", ""),
        ("snapshot=1", ""),
        ("service=A", ""),
        ("prefix=" + "a" * 300, ""),
        ("since=0&since=1", ""),
        ("", "Last-Event-ID: x"),
        ("", "Last-Event-ID: 2"),
        ("", "Last-Event-ID: " + "9" * 5000),
        ("", "Last-Event-ID: " + "0" * 5000),
        ("", "Last-Event-ID: -1"),
        ("version=1", ""),
    ],
)
def test_what_is_malformed_is_refused_at_once(port: int, query: str, header: str) -> None:
    answer = ask(port, get(f"{WATCH}?{query}" if query else WATCH, *([header] if header else [])))
    assert answer.status == 400, answer.body


def test_a_watch_shows_what_the_client_may_read_and_no_more(book: Book, port: int) -> None:
    book.add("me", here__all="reader")
    own = f"Authorization: {bearer('me')}"
    assert ask(port, get(WATCH)).status == 401
    assert ask(port, get(f"{WATCH}?service=there/x", own)).status == 404
    with following(port, f"{WATCH}?since=0", own) as events:
        book.put("there/x.json", b"{}\n")
        book.put("here/x.json", b"{}\n")
        assert services(events.next()) == [("here/x", 0, False)]


def test_two_credentials_are_as_good_as_none(book: Book, port: int) -> None:
    book.add("me", all="reader")
    own = f"Authorization: {bearer('me')}"
    for sent in ((own, own), ("Authorization: Bearer other", own)):
        assert ask(port, get(WATCH, *sent)).status == 401
        assert ask(port, get("/api/v1/configs/here/x", *sent)).status == 401


def test_a_watch_ends_with_the_commit_that_takes_its_right_away(book: Book, port: int) -> None:
    book.add("admin", all="admin")
    book.add("me", here__all="reader")
    target = f"{WATCH}?service=here/x&snapshot=true"
    with following(port, target, f"Authorization: {bearer('me')}") as events:
        assert events.next()["event"] == "ready"
        book.remove("me")
        last = events.next()
        assert (last["event"], json.loads(last["data"])["code"]) == ("error", "unauthorized")
        book.put("here/x.json", b"{}\n")
    with following(port, target, f"Authorization: {bearer('admin')}") as events:
        assert events.next()["event"] == "snapshot"


def test_a_watch_ends_when_its_named_service_may_not_be_read_any_longer(book: Book, port: int) -> None:
    book.add("me", here__all="reader")
    with following(port, f"{WATCH}?service=here/x&snapshot=true", f"Authorization: {bearer('me')}") as events:
        assert events.next()["event"] == "ready"
        book.add("me", there__all="reader")
        assert json.loads(events.next()["data"])["code"] == "service-not-found"


def test_a_credential_that_has_expired_opens_no_watch(book: Book, port: int) -> None:
    book.add("me", expires=format_time(book.now_s), all="reader")
    assert ask(port, get(WATCH, f"Authorization: {bearer('me')}")).status == 401


def test_a_stop_tells_watchers_to_come_again(book: Book, wire: bool) -> None:
    with served(book, Settings(open=True, wire=wire)) as port:
        events = Events(port, f"{WATCH}?snapshot=true")
        assert events.next()["event"] == "ready"
    with closing(events.connection):
        assert events.next()["event"] == "reconnect"


def test_a_watch_too_many_is_told_to_come_later(book: Book, wire: bool) -> None:
    settings = Settings(open=True, max_watches=1, wire=wire)
    with served(book, settings) as port, following(port, f"{WATCH}?snapshot=true") as events:
        assert events.next()["event"] == "ready"
        answer = ask(port, get(WATCH))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_a_host_that_is_not_known_is_refused_as_everywhere(book: Book) -> None:
    with served(book, Settings()) as port:
        answer = ask(port, get(WATCH).replace(b"localhost", b"evil.example"))
    assert answer.status == 421
