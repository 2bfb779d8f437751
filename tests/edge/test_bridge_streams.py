"""Bodies that the application reads as they come."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from configsvc.edge.asgi_types import Message
from tests.access.book import Book
from tests.edge.bridged import CHUNKED, SHORT_S, STREAMED, Client, becomes, bridged, happens, part, run, scope
from tests.edge.running import PATIENCE_S
from tests.edge.wsgi_apps import Echo, Stream

if TYPE_CHECKING:
    pass


def test_a_streamed_body_reaches_the_application_as_it_comes() -> None:
    async def test() -> None:
        app, client = Incremental(), Client(part(b"ab", more=True))
        async with bridged(app, max_body_bytes=1, first_bytes=1) as bridge:
            pushing = asyncio.create_task(bridge(scope(CHUNKED, path=STREAMED), client.receive, client.send))
            await happens(app.first_read)
            assert app.read == [b"ab"]
            client.events.put_nowait(part(b"c" * 100_000, more=False))
            await pushing
        assert b"".join(app.read) == b"ab" + b"c" * 100_000
        assert client.body == b"done"
        assert b"connection" not in client.headers

    run(test)


def test_a_streamed_body_is_pulled_only_when_the_application_reads() -> None:
    async def test() -> None:
        client = Client(*[part(b"x" * 1000, more=True)] * 50)
        async with bridged(Stream([b"early"], read_body=False), first_bytes=3000) as bridge:
            await bridge(scope(CHUNKED, path=STREAMED), client.receive, client.send)
            assert bridge.budget.used == 0
        assert client.received == 3
        assert client.body == b"early"
        assert client.headers[b"connection"] == b"close"

    run(test)


@pytest.mark.parametrize("reason", ["hang-up", "timeout"])
def test_an_application_that_waits_for_a_streamed_body_learns_that_it_will_not_come(reason: str) -> None:
    async def test() -> None:
        app, client = Incremental(), Client(part(b"ab", more=True))
        patience_s = PATIENCE_S if reason == "hang-up" else SHORT_S
        async with bridged(app, body_timeout_s=patience_s, first_bytes=1) as bridge:
            pushing = asyncio.create_task(bridge(scope(CHUNKED, path=STREAMED), client.receive, client.send))
            await happens(app.first_read)
            if reason == "hang-up":
                client.hang_up()
            await pushing
        assert isinstance(app.error, ConnectionError if reason == "hang-up" else TimeoutError)

    run(test)


def test_a_streamed_body_takes_no_thread_before_its_first_bytes_are_there() -> None:
    async def test() -> None:
        app, slow, quick = Incremental(), Client(part(b"a", more=True)), Client(part(b"bc", more=True))
        async with bridged(app, stream_threads=1, first_bytes=2) as bridge:
            waiting = asyncio.create_task(bridge(scope(CHUNKED, path=STREAMED), slow.receive, slow.send))
            await becomes(lambda: bridge.budget.used == 1)
            pushing = asyncio.create_task(bridge(scope(CHUNKED, path=STREAMED), quick.receive, quick.send))
            await happens(app.first_read)
            assert app.read == [b"bc"]
            for client, task in ((quick, pushing), (slow, waiting)):
                client.events.put_nowait(part(b"", more=False))
                await task
            assert (quick.body, slow.body, app.read[-1]) == (b"done", b"done", b"a")
            assert bridge.budget.used == 0

    run(test)


@pytest.mark.parametrize("first_bytes", [1, 1000])
def test_a_streamed_body_that_dribbles_is_given_up(first_bytes: int) -> None:
    async def test() -> None:
        app, client = Incremental(), Client()

        async def dribble() -> Message:
            await asyncio.sleep(SHORT_S / 2)  # how slow this client is
            return part(b"x", more=True)

        async with bridged(app, body_timeout_s=SHORT_S, first_bytes=first_bytes) as bridge:
            await bridge(scope(CHUNKED, path=STREAMED), dribble, client.send)
        assert client.status == (200 if isinstance(app.error, TimeoutError) else 408)
        assert app.ended.is_set() is (first_bytes == 1)

    run(test)


@pytest.mark.parametrize("path", ["/", STREAMED])
def test_nothing_is_read_of_a_body_that_comes_without_a_credential(path: str) -> None:
    async def test() -> None:
        book, client = Book(), Client(part(b"x", more=True))
        book.add("admin", all="admin")
        async with bridged(Echo(), book.access) as bridge:
            await bridge(scope(CHUNKED, path=path), client.receive, client.send)
        assert (client.status, client.received) == (500, 0)  # Echo knows no better than to read

    run(test)


def test_a_stop_frees_the_thread_that_waits_for_a_streamed_body() -> None:
    async def test() -> None:
        app, client = Incremental(), Client(part(b"ab", more=True))
        async with bridged(app, first_bytes=1) as bridge:
            pushing = asyncio.create_task(bridge(scope(CHUNKED, path=STREAMED), client.receive, client.send))
            await happens(app.first_read)
            pushing.cancel()
            await pushing
            await happens(app.ended)
        assert client.status == 503

    run(test)


def test_a_stop_tells_the_client_whose_body_is_awaited() -> None:
    async def test() -> None:
        client = Client(part(b"x", more=True))
        async with bridged(Echo()) as bridge:
            waiting = asyncio.create_task(bridge(scope(CHUNKED), client.receive, client.send))
            await becomes(lambda: client.received == 1)
            waiting.cancel()
            await waiting
        assert client.status == 503

    run(test)


def test_http_1_0_is_refused_where_bodies_are_streamed() -> None:
    async def test() -> None:
        client = Client()
        async with bridged(Echo()) as bridge:
            await bridge(scope(path=STREAMED, version="1.0"), client.receive, client.send)
        assert client.status == 505

    run(test)


class Incremental:
    """Reads its body piece by piece and notes what came, and how it ended."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.error: OSError | None = None
        self.first_read = threading.Event()
        self.ended = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        try:
            while piece := environ["wsgi.input"].read1(1 << 16):
                self.read.append(piece)
                self.first_read.set()
        except OSError as error:
            self.error = error
        finally:
            self.ended.set()
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]
