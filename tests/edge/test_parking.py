"""Waiting connections that hold no task: the same bytes as through ASGI, none twice, none left out."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from configsvc.app import create_app, unlogged
from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.watches import WatchStreams, make_watches
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import Write
from tests.access.book import Book
from tests.edge.running import PATIENCE_S, connect, running

WATCH = b"GET /api/v1/watch?since=%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
OTHER = b"GET /api/v1/configs/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@contextmanager
def served(book: Book, settings: Settings) -> Iterator[tuple[int, WatchStreams]]:
    service = ConfigService(book.store)
    app = create_app(service, settings, access=book.access)
    hot = HotAnswerer(unlogged(app), book.access, service, settings.hot_cache_bytes)
    watches = make_watches(service, book.access, settings)
    streams = next(each for each in watches if isinstance(each, WatchStreams))
    with closing(hot), running(app, settings, hot=hot, answerers=watches) as port:
        yield port, streams


@pytest.fixture
def book() -> Book:
    book = Book()
    for number in range(3):
        book.put("a.json", b'{"n": %d}\n' % number)
    return book


def read_until(connection: socket.socket, mark: bytes, data: bytes = b"") -> bytes:
    found = bytearray(data)
    while mark not in found[-(1 << 18) :]:
        part = connection.recv(1 << 16)
        assert part, found[-1000:]
        found += part
    return bytes(found)


def undated(data: bytes) -> bytes:
    return re.sub(rb"date: [^\r]*", b"date:", data)


def pieces(data: bytes) -> bytes:
    """Return the body of a chunked answer that may go on."""
    body, rest = b"", data.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
    return body


def test_a_parked_stream_is_in_the_bytes_of_one_that_is_not(book: Book) -> None:
    heads, bodies = set(), set()
    for wire in (False, True):
        with (
            served(book, Settings(open=True, wire=wire)) as (port, streams),
            connect(port) as connection,
        ):
            connection.sendall(WATCH % 1)
            data = read_until(connection, b"id: 4")
            data = read_until(connection, b"\n\n", data)
            assert streams.hub.sharing == 0 or wire
            heads.add(undated(data.partition(b"\r\n\r\n")[0]))
            bodies.add(pieces(data))
    assert len(heads) == 1
    assert len(bodies) == 1


def test_those_who_watch_the_same_are_registered_once_and_all_counted(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams):
        connections = [connect(port) for _ in range(5)]
        for connection in connections:
            connection.sendall(WATCH % 3)
            read_until(connection, b"id: 4")
        assert (len(streams.hub.index), streams.hub.waiting) == (1, 5)
        book.put("a.json", b"{}\n")
        for connection in connections:
            read_until(connection, b"id: 5")
            connection.close()
        with connect(port) as connection:  # once it is answered, the ends before were heard of
            connection.sendall(OTHER)
            read_until(connection, b"{}")
        while streams.hub.waiting:
            pass
        assert len(streams.hub.index) == 0


def test_what_comes_while_a_connection_waits_is_answered_after_the_wait(book: Book) -> None:
    with served(book, Settings(open=True, shutdown_grace_s=0.5)) as (port, _):
        connection = connect(port)
        connection.sendall(WATCH % 3)
        read_until(connection, b"id: 4")
        connection.sendall(OTHER)
    data = read_until(connection, b"0\r\n\r\n")
    assert b"event: reconnect" in data
    connection.close()


def put_many(book: Book, number: int) -> None:
    """Commit a change of so many services that telling of it takes 100 KB."""
    paths = {f"{'long' * 20}/{'name' * 20}-{each}.json": b"%d\n" % number for each in range(400)}
    book.store.submit(Write(lambda view: Plan(paths, "x"), ANONYMOUS)).result()


@pytest.mark.thorough
@pytest.mark.slow
def test_a_client_that_did_not_read_for_a_while_is_told_all_in_order_and_once(book: Book) -> None:
    with served(book, Settings(open=True)) as (port, streams), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        connection.connect(("127.0.0.1", port))
        connection.sendall(WATCH % 3)
        data = read_until(connection, b"id: 4")
        while len(streams.hub.index):  # until it is on its own, since its turn came and it did not read
            put_many(book, book.store.snapshot().revision)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        for _ in range(5):
            put_many(book, book.store.snapshot().revision)
        data = read_until(connection, b"id: %d\n" % book.store.snapshot().revision, data)
        book.put("a.json", b"{}\n")
        last = book.store.snapshot().revision
        data = read_until(connection, b"id: %d\n" % last, data)
    assert [int(each) for each in re.findall(rb"id: (\d+)\n", data)] == list(range(4, last + 1))


ODD_LINES = [
    b"GET /api/v1/watch?prefix=a\nX-Y:1 HTTP/1.1",
    b"GET /api/v1/watch?prefix=a\rb HTTP/1.1",
    b"GET /api/v1/watch?prefix=a\x00 HTTP/1.1",
    b"GET /api/v1/watch?prefix=a\x7f HTTP/1.1",
    b"GET /api/v1/watch?prefix=a\tb HTTP/1.1",
    b"GET /api/v1/watch?prefix=a#b HTTP/1.1",
    b"GET /api/v1/watch?prefix=\xc3\xa9 HTTP/1.1",
    b"GET /api/v1/watch?prefix=a&prefix=b HTTP/1.1",
    b"GET /api/v1/watch?prefix=%61 HTTP/1.1",
    b"GET /api/v1/watch? HTTP/1.1",
    b"GET http://localhost/api/v1/watch?prefix=a HTTP/1.1",
    b"GET //api/v1/watch?prefix=a HTTP/1.1",
    b"GET /api/v1/watch/?prefix=a HTTP/1.1",
    b"HEAD /api/v1/watch?prefix=a HTTP/1.1",
    b"GET /api/v1/watch?prefix=a HTTP/1.0",
    b"GET /api/v1/configs/a?wait=1#b HTTP/1.1",
    b"GET /api/v1/configs/a?wait=1\n HTTP/1.1",
    b"GET /api/v1/configs/a?wait=1&x=\x00 HTTP/1.1",
    b"GET /api/v1/configs/a?wait=01 HTTP/1.1",
    b"GET /api/v1/configs/a?wait=61 HTTP/1.1",
    b"GET /api/v1/configs//a?wait=1 HTTP/1.1",
]


def test_an_odd_request_that_waits_is_answered_on_the_wire_as_behind_the_parser(book: Book) -> None:
    found = []
    for wire in (False, True):
        with served(book, Settings(open=True, wire=wire)) as (port, _):
            for line in ODD_LINES:
                with connect(port) as connection, connection.makefile("rb") as answer:
                    connection.sendall(line + b'\r\nHost: localhost\r\nIf-None-Match: "x"\r\n\r\n')
                    found.append((line, answer.readline()))
    half = len(ODD_LINES)
    assert found[:half] == found[half:]
