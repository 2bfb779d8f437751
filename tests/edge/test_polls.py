"""Reads that wait, through a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from configsvc.edge.loophub import LoopHub
from configsvc.edge.ticks import Ticks
from configsvc.settings import Settings
from tests.access.book import Book, bearer
from tests.edge.running import PATIENCE_S, Answer, ask, connect, get, split_answers
from tests.edge.test_watches import following, served

ONE = "/api/v1/configs/a/b"


@pytest.fixture(params=[False, True], ids=["edge", "wire"])
def wire(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def book() -> Book:
    book = Book()
    book.put("a/b.json", b"{}\n")
    return book


def waiting(pool: ThreadPoolExecutor, port: int, target: str, *headers: str) -> Future[Answer]:
    return pool.submit(ask_once, port, get(target, *headers, close=False))


def ask_once(port: int, data: bytes) -> Answer:
    """Return the answer on a connection that is kept, as clients that wait do."""
    with connect(port) as connection:
        connection.sendall(data)
        found = b""
        while b"\r\n\r\n" not in found:
            part = connection.recv(1 << 16)
            assert part, found
            found += part
        size = re.search(rb"content-length: (\d+)", found)
        while size and len(found.partition(b"\r\n\r\n")[2]) < int(size[1]):
            found += connection.recv(1 << 16)
    (answer,) = split_answers(found)
    return answer


def test_a_read_that_waits_is_answered_by_the_change(book: Book, wire: bool) -> None:
    with served(book, Settings(open=True, wire=wire)) as port, ThreadPoolExecutor() as pool:
        tag = ask(port, get(ONE)).headers["etag"]
        found = [waiting(pool, port, f"{ONE}?wait=60", f"If-None-Match: {tag}") for _ in range(3)]
        with following(port, "/api/v1/watch?since=0") as events:
            assert events.next()["id"] == "2"
        book.put("other.json", b"{}\n")
        book.put("a/b.json", b'{"v": 1}\n')
        answers = [each.result(20) for each in found]
    assert [(each.status, json.loads(each.body)) for each in answers] == [(200, {"v": 1})] * 3


@pytest.mark.slow
def test_a_read_that_waits_in_vain_is_answered_that_nothing_changed(book: Book, wire: bool) -> None:
    with served(book, Settings(open=True, wire=wire)) as port:
        tag = ask(port, get(ONE)).headers["etag"]
        answer = ask(port, get(f"{ONE}?wait=1", f"If-None-Match: {tag}"))
    assert (answer.status, answer.headers["etag"], answer.body) == (304, tag, b"")


@pytest.mark.parametrize("header", ["", "If-None-Match: *", 'If-None-Match: "x"'])
def test_a_read_that_names_no_newest_version_does_not_wait(book: Book, header: str, wire: bool) -> None:
    with served(book, Settings(open=True, wire=wire)) as port:
        answer = ask(port, get(f"{ONE}?wait=60", *([header] if header else [])))
    assert answer.status == (304 if "*" in header else 200)


@pytest.mark.parametrize("query", ["wait=61", "wait=-1", "wait=x", "wait=1&pointer=/a", "wait=1&version=0"])
def test_a_wait_that_makes_no_sense_is_refused(book: Book, query: str, wire: bool) -> None:
    with served(book, Settings(open=True, wire=wire)) as port:
        assert ask(port, get(f"{ONE}?{query}", 'If-None-Match: "x"')).status == 400


def test_a_read_that_waits_ends_with_the_commit_that_takes_its_right_away(book: Book, wire: bool) -> None:
    book.add("admin", all="admin")
    book.add("me", a__all="reader")
    own = f"Authorization: {bearer('me')}"
    with served(book, Settings(wire=wire)) as port, ThreadPoolExecutor() as pool:
        tag = ask(port, get(ONE, own)).headers["etag"]
        found = waiting(pool, port, f"{ONE}?wait=60", own, f"If-None-Match: {tag}")
        book.remove("me")
        assert found.result(20).status == 401


def test_a_stop_answers_reads_that_wait(book: Book, wire: bool) -> None:
    with ThreadPoolExecutor() as pool:
        with served(book, Settings(open=True, max_watches=1, wire=wire)) as port:
            tag = ask(port, get(ONE)).headers["etag"]
            found = waiting(pool, port, f"{ONE}?wait=60", f"If-None-Match: {tag}")
            # Once there is no room for another one, the first one waits.
            while ask(port, get("/api/v1/watch?since=9")).status != 503:
                pass
        assert found.result(20).status == 304


def test_all_whose_time_is_up_at_one_time_are_told_and_those_after_them_too() -> None:
    failures: list[dict[str, object]] = []
    expired: list[object] = []
    ticks = Ticks(LoopHub(lambda told: lambda: None, most=10))

    class Poll:
        def __init__(self, seconds: float) -> None:
            self.is_over = asyncio.Event()
            self.tick = ticks.add(self, seconds)

        def expire(self) -> None:
            expired.append(self)
            self.is_over.set()
            ticks.drop(self, self.tick)

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        _, _, last = [Poll(seconds) for seconds in (0.01, 0.01, 0.25)]
        async with asyncio.timeout(PATIENCE_S):
            await last.is_over.wait()
        assert len(expired) == 3

    asyncio.run(test())
    assert failures == []


@pytest.mark.slow
def test_a_read_that_waited_is_told_of_once_with_its_wait(
    book: Book, wire: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with served(book, Settings(open=True, wire=wire)) as port:
        tag = ask(port, get(ONE)).headers["etag"]
        caplog.set_level(logging.INFO)
        assert ask_once(port, get(f"{ONE}?wait=1", f"If-None-Match: {tag}", close=False)).status == 304
    lines = [record.getMessage() for record in caplog.records if "/configs/" in record.getMessage()]
    (line,) = lines
    assert f"GET {ONE}?wait=1 304 " in line
    assert float(line.split(" 304 ")[1].split(" ms")[0]) > 500
