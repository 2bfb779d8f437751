"""Answers of an application, sent as fast as they are read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.edge.bridged import SHORT_S, Client, becomes, bridged, happens, run, scope
from tests.edge.running import PATIENCE_S
from tests.edge.wsgi_apps import Stream

if TYPE_CHECKING:
    pass


def test_an_answer_is_pulled_chunk_by_chunk_and_a_slow_reader_holds_no_thread() -> None:
    async def test() -> None:
        app, slow = Stream([b"a", b"b", b"c"]), Client()
        slow.reads.clear()
        async with bridged(app, threads=1) as bridge:
            waiting = asyncio.create_task(bridge(scope(method="GET"), slow.receive, slow.send))
            await becomes(lambda: app.taken == 1)
            other = Client()
            await bridge(scope(method="GET"), other.receive, other.send)
            assert other.body == b"abc"
            assert app.taken == 4
            slow.reads.set()
            await waiting
        assert slow.body == b"abc"
        assert slow.is_complete

    run(test)


def test_a_reader_that_stops_for_too_long_is_given_up_and_the_answer_closed() -> None:
    async def test() -> None:
        app, client = Stream([b"a"] * 1000), Client()
        client.reads.clear()
        async with bridged(app, write_timeout_s=SHORT_S) as bridge:
            await bridge(scope(method="GET"), client.receive, client.send)
            assert app.closed.is_set()
        assert not client.is_complete

    run(test)


def test_a_reader_that_hangs_up_ends_the_answer() -> None:
    async def test() -> None:
        app, client = Stream(endless()), Client()
        async with bridged(app) as bridge:
            answering = asyncio.create_task(bridge(scope(method="GET"), client.receive, client.send))
            await becomes(lambda: len(client.sent) > 3)
            client.hang_up()
            await answering
            await happens(app.closed)

    run(test)


def test_a_reader_that_hangs_up_while_the_application_computes_ends_the_answer_after_it() -> None:
    async def test() -> None:
        computing, go_on = threading.Event(), threading.Event()

        def compute() -> Iterator[bytes]:
            yield b"a"
            computing.set()
            assert go_on.wait(PATIENCE_S)
            yield b"b"

        app, client = Stream(compute()), Client()
        async with bridged(app) as bridge:
            answering = asyncio.create_task(bridge(scope(method="GET"), client.receive, client.send))
            await happens(computing)
            client.hang_up()
            await answering
            assert not app.closed.is_set()
            go_on.set()
            await happens(app.closed)
        assert app.taken == 2

    run(test)


def test_an_application_that_fails_is_answered_for_and_closed() -> None:
    async def test() -> None:
        client = Client()
        async with bridged(Stream(failing())) as bridge:
            await bridge(scope(method="GET"), client.receive, client.send)
        assert client.status == 500
        assert b"secret" not in client.body

    run(test)


def test_an_application_that_fails_in_its_answer_leaves_it_incomplete() -> None:
    async def test() -> None:
        client = Client()
        async with bridged(Stream(failing(b"a"))) as bridge:
            await bridge(scope(method="GET"), client.receive, client.send)
        assert client.status == 200
        assert not client.is_complete

    run(test)


def failing(*before: bytes) -> Iterator[bytes]:
    yield from before
    raise RuntimeError("secret")


def endless() -> Iterator[bytes]:
    while True:
        yield b"x"
