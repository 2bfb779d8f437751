from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvloop

from configsvc.edge.transport import ClosingTransport
from tests.edge.running import PATIENCE_S, read_to_end

LONG_S = 600.0
SHORT_S = 0.1
MUCH = b"x" * (16 << 20)
"""More than the kernel keeps for a client that does not read."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class Lost(asyncio.Protocol):
    """Closes the transport as the server does when the client hangs up, and tells when it is lost."""

    def __init__(self) -> None:
        self.lost = threading.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    factory: LoopFactory = request.param
    return factory


@contextmanager
def closing(
    loop_factory: LoopFactory, data: bytes, *, linger_s: float, flush_s: float
) -> Iterator[tuple[socket.socket, threading.Event]]:
    """Write `data`, close; yield the client's end, and what is set when the connection is lost."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE_S)
    protocol = Lost()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        inner, _ = await loop.create_connection(lambda: protocol, sock=ours)
        transport = ClosingTransport(inner, linger_s=linger_s, flush_s=flush_s)
        transport.write(data)
        transport.close()
        transport.close()
        transport.write(b"too late")
        await asyncio.to_thread(protocol.lost.wait, PATIENCE_S)
        transport.abort()
        transport.forget()

    def serve() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(run())

    thread = threading.Thread(target=serve)
    thread.start()
    with theirs:
        yield theirs, protocol.lost
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_client_that_hangs_up_after_the_answer_is_let_go_of(loop_factory: LoopFactory) -> None:
    with closing(loop_factory, b"answer", linger_s=LONG_S, flush_s=LONG_S) as (client, lost):
        client.sendall(b"more")
        assert read_to_end(client) == b"answer"
        client.sendall(b"and more")
        assert not lost.is_set()
        client.close()
        assert lost.wait(PATIENCE_S)


def test_a_client_that_reads_for_longer_than_it_may_linger_gets_the_whole_answer(
    loop_factory: LoopFactory,
) -> None:
    with closing(loop_factory, MUCH, linger_s=SHORT_S, flush_s=LONG_S) as (client, lost):
        assert not lost.wait(5 * SHORT_S)
        assert read_to_end(client) == MUCH


@pytest.mark.parametrize("answer", [b"answer", b""])
def test_a_client_that_never_leaves_is_cut_off(loop_factory: LoopFactory, answer: bytes) -> None:
    with closing(loop_factory, answer, linger_s=SHORT_S, flush_s=LONG_S) as (client, lost):
        assert lost.wait(PATIENCE_S)
        assert read_to_end(client) == answer


def test_a_client_that_never_reads_is_cut_off(loop_factory: LoopFactory) -> None:
    with closing(loop_factory, MUCH, linger_s=LONG_S, flush_s=SHORT_S) as (client, lost):
        assert lost.wait(PATIENCE_S)
        assert len(read_to_end(client)) < len(MUCH)
