"""Reads that wait on parked connections, beyond what `test_polls` holds them to."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from itertools import pairwise
from typing import cast

import pytest

from configsvc.app import create_app, unlogged
from configsvc.edge.asgi_types import RawHeaders
from configsvc.edge.connections import Parked
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.known import Decided
from configsvc.edge.loophub import PORTION, LoopHub
from configsvc.edge.parked_polls import PollRoom, find_tag
from configsvc.edge.poll_requests import read_poll
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.ready import ReadyAnswers
from configsvc.edge.watches import WatchStreams
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book
from tests.edge.running import connect, read_to_end, split_answers
from tests.edge.test_parking import read_until, served, undated

ONE = "/api/v1/configs/a"
CLOSE = f"GET {ONE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def measured(streams: WatchStreams) -> int:
    return sum(streams.hub.spread.counts)


def poll(tag: str, seconds: int = 60) -> bytes:
    return f"GET {ONE}?wait={seconds} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n".encode()


def tag_of(port: int) -> str:
    with connect(port) as connection:
        connection.sendall(CLOSE)
        (answer,) = split_answers(read_to_end(connection))
        return answer.headers["etag"]


def waiting(port: int, tag: str, count: int) -> list[socket.socket]:
    connections = [connect(port) for _ in range(count)]
    for connection in connections:
        connection.sendall(poll(tag))
    return connections


@pytest.fixture
def book() -> Book:
    book = Book()
    book.put("a.json", b'{"n": 0}\n')
    return book


def test_many_are_answered_from_one_answer_that_is_made_once(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams):
        connections = waiting(port, tag_of(port), 20)
        while streams.hub.waiting < 20:
            pass
        assert len(streams.hub.index) == 1
        book.put("a.json", b'{"n": 1}\n')
        book.access.refresh()
        for connection in connections:
            assert read_until(connection, b'{"n": 1}\n').startswith(b"HTTP/1.1 200 OK\r\n")
            connection.sendall(CLOSE)  # the connection goes on
            assert [each.status for each in split_answers(read_to_end(connection))] == [200]
            connection.close()
        assert streams.hub.waiting == 0


def test_the_answer_is_put_together_once_for_all_who_ask_the_same(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[bytes | None] = []
    render = ReadyAnswers.render

    def watched(self: ReadyAnswers, decided: Decided, default_headers: RawHeaders) -> bytes | None:
        rendered.append(render(self, decided, default_headers))
        return rendered[-1]

    with served(book, Settings(open=True)) as (port, streams):
        tag = tag_of(port)
        connections = waiting(port, tag, 40)
        while streams.hub.waiting < 40:
            pass
        monkeypatch.setattr(ReadyAnswers, "render", watched)
        book.put("a.json", b'{"n": 1}\n')
        book.access.refresh()
        answers = {undated(read_until(connection, b'{"n": 1}\n')) for connection in connections}
        assert len(answers) == 1
        assert 1 <= len(set(rendered)) <= len(rendered) < 5  # again when a second is over
        for connection in connections:
            connection.close()


def test_a_publish_is_measured_once_all_who_poll_are_answered(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams):
        connections = waiting(port, tag_of(port), 3)
        while streams.hub.waiting < 3:
            pass
        assert measured(streams) == 0
        book.put("a.json", b'{"n": 1}\n')
        book.access.refresh()
        for connection in connections:
            read_until(connection, b'{"n": 1}\n')
            connection.close()
        while not measured(streams):
            pass
        assert measured(streams) == 1
        assert streams.hub.spread.total > 0.0


@pytest.mark.parametrize("change", [b'{"n": 2}\n', None], ids=["put", "delete"])
def test_what_came_behind_a_wait_is_answered_after_it(book: Book, change: bytes | None) -> None:
    with served(book, Settings(open=True)) as (port, streams), connect(port) as connection:
        connection.sendall(poll(tag_of(port)))
        while not streams.hub.waiting:
            pass
        connection.sendall(CLOSE)
        book.put("a.json", change)
        statuses = [each.status for each in split_answers(read_to_end(connection))]
    assert statuses == ([404, 404] if change is None else [200, 200])


def test_clients_that_hang_up_wait_no_longer(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams):
        connections = waiting(port, tag_of(port), 5)
        while streams.hub.waiting < 5:
            pass
        for connection in connections:
            connection.close()
        while streams.hub.waiting:
            pass
        assert len(streams.hub.index) == 0
        book.put("a.json", b"{}\n")
        assert tag_of(port).startswith('"1-')


@pytest.mark.slow
def test_a_wait_in_vain_ends_with_304_and_the_connection_goes_on(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams), connect(port) as connection:
        connection.sendall(poll(tag_of(port), 1))
        data = read_until(connection, b"\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 304 Not Modified\r\n")
        while streams.hub.waiting:
            pass
        connection.sendall(CLOSE)
        assert [each.status for each in split_answers(read_to_end(connection))] == [200]


class Connection:
    """A connection that can be parked."""

    peer = ""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.parked: list[Parked] = []

    def park(self, parked: Parked) -> None:
        self.parked.append(parked)


def test_thousands_who_come_again_at_once_leave_others_their_turns_and_one_who_hangs_up_waits_no_longer(
    book: Book,
) -> None:
    count = 10 * PORTION
    service = ConfigService(book.store)
    app = unlogged(create_app(service, Settings(open=True), access=book.access))
    book.access.refresh()

    async def test(hot: HotAnswerer) -> list[int]:
        hub = LoopHub(service.listen, most=count)
        room = PollRoom(hub, hot, ReadyAnswers(hot, 1 << 20))
        target = f"{ONE}?wait=60".encode()
        request = HotRequest(target, b"localhost", None, None, find_tag(service.snapshot(), "a"))
        asked = read_poll(target, request, poll("").replace(b": \r", b": " + (request.tag or b"") + b"\r"))
        assert asked is not None
        connections = [Connection() for _ in range(count)]
        for connection in connections:
            room.take_in_turn(cast(EdgeProtocol, connection), asked)
        connections[0].parked[0].leave()
        seen = [hub.waiting]
        while hub.waiting < count - 1:
            await asyncio.sleep(0)
            seen.append(hub.waiting)
        assert [len(each.parked) for each in connections] == [1, *[2] * (count - 1)]
        return seen

    with closing(HotAnswerer(app, book.access, service, 1 << 20)) as hot:
        seen = asyncio.run(test(hot))
    assert seen[0] == 0
    assert max(after - before for before, after in pairwise(seen)) <= PORTION


def test_one_who_comes_again_with_what_is_old_by_then_is_answered_and_goes_on(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams):
        tag = tag_of(port)
        first, second = waiting(port, tag, 1)[0], connect(port)
        while not streams.hub.waiting:
            pass
        book.put("a.json", b'{"n": 1}\n')
        book.access.refresh()
        read_until(first, b'{"n": 1}\n')
        second.sendall(poll(tag))  # in the bytes that the first one waited with
        assert read_until(second, b'{"n": 1}\n').startswith(b"HTTP/1.1 200 OK\r\n")
        second.sendall(CLOSE)
        assert [each.body for each in split_answers(read_to_end(second))] == [b'{"n": 1}\n']
        first.close()
        second.close()
        assert streams.hub.waiting == 0
