from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from configsvc.access.decide import Access
from configsvc.edge.asgi_types import Message
from configsvc.edge.bridge import BridgeLimits, WsgiBridge
from configsvc.edge.refusals import Refusals
from tests.access.book import Book, bearer
from tests.edge.running import PATIENCE_S
from tests.edge.wsgi_apps import Echo, Stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STREAMED = "/streamed"
SHORT_S = 0.05


class Client:
    """The client's side of one ASGI request.  It accepts what is sent only while `reads` is set."""

    def __init__(self, *body: Message) -> None:
        self.events: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.received = 0
        self.reads = asyncio.Event()
        self.reads.set()
        for message in body:
            self.events.put_nowait(message)

    async def receive(self) -> Message:
        message = await self.events.get()
        self.received += 1
        return message

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        self.sent.append(message)

    def hang_up(self) -> None:
        self.events.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", False)


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def scope(
    *headers: tuple[bytes, bytes], method: str = "POST", path: str = "/", version: str = "1.1"
) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": version,
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), *headers],
    }


CHUNKED = (b"transfer-encoding", b"chunked")


@asynccontextmanager
async def bridged(
    app: WSGIApplication, access: Access | None = None, /, **limits: Any
) -> AsyncIterator[WsgiBridge]:
    bridge = WsgiBridge(
        app,
        refusals=Refusals(lambda: 1),
        limits=BridgeLimits(**limits),
        is_streamed=lambda path: path == STREAMED,
        access=access,
    )
    try:
        yield bridge
    finally:
        bridge.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an asynchronous test, but not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test()

    asyncio.run(bounded())


async def happens(event: threading.Event) -> None:
    """Return when `event`, which a thread sets, is set."""
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


async def becomes(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    while not condition():  # noqa: ASYNC110 - what is watched has no event
        await asyncio.sleep(0.001)


def test_a_body_is_read_whole_before_a_thread_is_taken() -> None:
    async def test() -> None:
        app, client = Echo(), Client(part(b"ab", more=True))
        async with bridged(app, threads=1) as bridge:
            slow = asyncio.create_task(bridge(scope(CHUNKED), client.receive, client.send))
            await becomes(lambda: client.received == 1)
            others = [Client() for _ in range(3)]
            for other in others:
                await bridge(scope(method="GET"), other.receive, other.send)
            assert [other.status for other in others] == [200, 200, 200]
            assert not client.sent
            client.events.put_nowait(part(b"c", more=False))
            await slow
        assert b'"body": "abc"' in client.body

    run(test)


@pytest.mark.parametrize("declared", [(b"content-length", b"11"), CHUNKED])
def test_a_body_over_the_limit_is_refused_and_the_connection_closed(declared: tuple[bytes, bytes]) -> None:
    async def test() -> None:
        app, client = Echo(), Client(part(b"x" * 11, more=True))
        async with bridged(app, max_body_bytes=10) as bridge:
            await bridge(scope(declared), client.receive, client.send)
        assert client.status == 413
        assert client.headers[b"connection"] == b"close"
        assert client.is_complete
        assert client.received == (1 if declared is CHUNKED else 0)
        assert app.calls == 0

    run(test)


def test_a_body_at_the_limit_is_taken() -> None:
    async def test() -> None:
        client = Client(part(b"x" * 10, more=False))
        async with bridged(Echo(), max_body_bytes=10) as bridge:
            await bridge(scope(CHUNKED), client.receive, client.send)
        assert client.status == 200

    run(test)


@pytest.mark.parametrize(("path", "status"), [("/large", 200), ("/larger", 413), ("/", 413)])
def test_a_path_may_take_larger_bodies_than_others(path: str, status: int) -> None:
    async def test() -> None:
        client = Client(part(b"x" * 11, more=False))
        async with bridged(Echo(), max_body_bytes=10, larger_bodies={"/large": 11}) as bridge:
            await bridge(scope(CHUNKED, path=path), client.receive, client.send)
        assert client.status == status

    run(test)


def test_bodies_beyond_the_common_budget_are_refused_until_there_is_room_again() -> None:
    async def test() -> None:
        holder, late, later = Client(part(b"x" * 8, more=True)), Client(part(b"yyy", more=False)), Client()
        async with bridged(Echo(), max_buffered_bytes=10) as bridge:
            held = asyncio.create_task(bridge(scope(CHUNKED), holder.receive, holder.send))
            await becomes(lambda: bridge.budget.used == 8)
            await bridge(scope(CHUNKED), late.receive, late.send)
            assert late.status == 503
            assert late.headers[b"retry-after"] == b"1"
            holder.hang_up()
            await held
            assert bridge.budget.used == 0
            later.events.put_nowait(part(b"yyy", more=False))
            await bridge(scope(CHUNKED), later.receive, later.send)
            assert later.status == 200
            assert bridge.budget.used == 0

    run(test)


def credential(name: str) -> tuple[bytes, bytes]:
    return b"authorization", bearer(name).encode()


def test_one_principal_holds_no_more_than_its_share_of_the_bodies() -> None:
    async def test() -> None:
        book = Book()
        for name in ("admin", "ann", "bob"):
            book.add(name, all="admin")
        holder, more, other = Client(part(b"x" * 8, more=True)), Client(), Client()
        more.events.put_nowait(part(b"yyy", more=False))
        other.events.put_nowait(part(b"x" * 10, more=False))
        async with bridged(Echo(), book.access, max_buffered_bytes=40, max_body_bytes=10) as bridge:
            held = asyncio.create_task(bridge(scope(CHUNKED, credential("ann")), holder.receive, holder.send))
            await becomes(lambda: bridge.budget.used == 8)
            await bridge(scope(CHUNKED, credential("ann")), more.receive, more.send)
            await bridge(scope(CHUNKED, credential("bob")), other.receive, other.send)
            assert (more.status, other.status) == (429, 200)
            assert b"rate-exceeded" in more.body
            assert more.headers[b"retry-after"] == b"1"
            holder.hang_up()
            await held
            assert bridge.budget.used == 0

    run(test)


def test_the_largest_body_fits_into_the_share_of_one() -> None:
    async def test() -> None:
        client = Client(part(b"x" * 30, more=False))
        async with bridged(Echo(), max_buffered_bytes=40, larger_bodies={"/": 30}) as bridge:
            await bridge(scope(CHUNKED), client.receive, client.send)
        assert client.status == 200

    run(test)


def test_a_body_that_is_late_is_refused() -> None:
    async def test() -> None:
        app, client = Echo(), Client(part(b"x", more=True))
        async with bridged(app, body_timeout_s=SHORT_S) as bridge:
            await bridge(scope(CHUNKED), client.receive, client.send)
        assert (client.status, app.calls) == (408, 0)

    run(test)


def test_a_client_that_hangs_up_in_its_body_is_not_answered() -> None:
    async def test() -> None:
        app, client = Echo(), Client(part(b"x", more=True))
        client.hang_up()
        async with bridged(app) as bridge:
            await bridge(scope(CHUNKED), client.receive, client.send)
        assert (client.sent, app.calls) == ([], 0)

    run(test)


def test_a_request_without_a_body_is_not_read() -> None:
    async def test() -> None:
        client = Client()
        async with bridged(Echo()) as bridge:
            await bridge(scope(method="GET"), client.receive, client.send)
        assert (client.status, client.received) == (200, 0)

    run(test)


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


def endless() -> Iterator[bytes]:
    while True:
        yield b"x"


def failing(*before: bytes) -> Iterator[bytes]:
    yield from before
    raise RuntimeError("secret")


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
