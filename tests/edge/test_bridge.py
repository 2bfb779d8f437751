"""Bodies that are read whole, before the application is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.access.book import Book, bearer
from tests.edge.bridged import CHUNKED, SHORT_S, Client, becomes, bridged, part, run, scope
from tests.edge.wsgi_apps import Echo

if TYPE_CHECKING:
    pass


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
