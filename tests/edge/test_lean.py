"""What a connection that waits holds, and what remains when thousands have left."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from typing import Any, cast

import pytest

from configsvc.edge import server as edge_server
from configsvc.edge.allocator import CrowdAllocator
from configsvc.edge.lean import Flow
from configsvc.edge.memory import shrink
from configsvc.edge.server import CROWD, MANY_CONNECTIONS, TICKS_A_TRIM, Server, make_server
from configsvc.edge.wire import WireProtocol
from configsvc.settings import Settings
from tests.access.book import Book
from tests.edge.running import connect, get
from tests.edge.test_parked_polls import ONE, poll, tag_of
from tests.edge.test_parking import read_until, served
from tests.edge.wsgi_apps import Echo

PARSED = get(ONE, "Accept-Charset: utf-8", close=False)


def server_side(connection: socket.socket) -> WireProtocol:
    port = connection.getsockname()[1]
    protocols = [each for each in gc.get_objects() if isinstance(each, WireProtocol)]
    (found,) = [each for each in protocols if each.client is not None and each.client[1] == port]
    return found


def test_a_connection_that_waits_has_no_parser_and_gets_one_when_it_needs_it(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams), connect(port) as connection:
        connection.sendall(PARSED)
        read_until(connection, b'{"n": 0}\n')
        protocol = server_side(connection)
        assert protocol.parser is not None
        connection.sendall(poll(tag_of(port)))
        while not streams.hub.waiting:
            pass
        assert (protocol.parser, protocol.pipeline) == (None, ())
        book.put("a.json", b'{"n": 1}\n')
        book.access.refresh()
        read_until(connection, b'{"n": 1}\n')
        connection.sendall(PARSED)
        assert read_until(connection, b'{"n": 1}\n').startswith(b"HTTP/1.1 200 OK\r\n")


def test_all_who_wait_for_the_client_to_read_go_on_together() -> None:
    went_on: list[int] = []

    async def send(flow: Flow, number: int) -> None:
        await flow.drain()
        went_on.append(number)

    async def test() -> None:
        flow = Flow(cast(asyncio.Transport, None))
        await send(flow, 0)
        flow.pause_writing()
        waiting = [asyncio.create_task(send(flow, number)) for number in (1, 2)]
        await asyncio.sleep(0)
        assert went_on == [0]
        flow.resume_writing()
        await asyncio.gather(*waiting)

    asyncio.run(test())
    assert went_on == [0, 1, 2]


def test_a_set_gives_up_the_room_of_those_who_left() -> None:
    members = set(range(10_000))
    for number in range(3, 10_000):
        members.discard(number)
    before = sys.getsizeof(members)
    shrink(members)
    assert members == {0, 1, 2}
    assert sys.getsizeof(members) < before / 100


@pytest.fixture
def book() -> Book:
    book = Book()
    book.put("a.json", b'{"n": 0}\n')
    return book


@pytest.fixture
def server() -> Server:
    return make_server(Echo(), Settings(open=True), revision=lambda: 1)


def test_memory_is_given_back_once_when_those_who_leave_have_left(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[tuple[int, bool]] = []
    connections: set[Any] = server.server_state.connections

    def give_back(*, is_collected: bool) -> None:
        given_back.append((len(connections), is_collected))

    monkeypatch.setattr(edge_server, "give_back_memory", give_back)
    many = MANY_CONNECTIONS
    counts = [9 * many, 7 * many, 7 * many, 3 * many, 500, 400, 300, 200 + many, 0, 0]

    async def test() -> None:
        for count in counts:
            connections.clear()
            connections.update(range(count))
            await server.on_tick(TICKS_A_TRIM)

    asyncio.run(test())
    assert given_back == [(7 * many, False), (400, True), (0, True)]


def test_the_c_library_allocates_while_there_is_a_crowd(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[bool] = []
    connections: set[Any] = server.server_state.connections
    monkeypatch.setattr(CrowdAllocator, "use_libc", lambda _, is_used: chosen.append(is_used))

    async def test() -> None:
        for count in (0, CROWD - 1, CROWD, 2 * CROWD, CROWD - 1, 0):
            connections.clear()
            connections.update(range(count))
            await server.on_tick(1)

    asyncio.run(test())
    assert chosen == [True, False]
