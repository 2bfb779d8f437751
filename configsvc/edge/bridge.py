"""A WSGI application as an ASGI application, in threads, streaming both ways.

A thread is held only while the application computes: bodies are read before
one is taken, and each further chunk of an answer is one short visit to the
pool, so neither a slow writer nor a slow reader keeps a thread.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from configsvc.access.decide import Access
from configsvc.api.problems import http_problem
from configsvc.core.errors import GitBusy, Unauthorized
from configsvc.edge.answering import Answering
from configsvc.edge.asgi_types import Receive, Scope, Send
from configsvc.edge.exchange import SLICE_BYTES, Exchange
from configsvc.edge.pace import Pace
from configsvc.edge.pools import Pool, write_pool
from configsvc.edge.refusals import Refusals, Refused
from configsvc.edge.request_body import (
    BodyBudget,
    StreamedBody,
    WholeBody,
    stated_length,
)
from configsvc.edge.senders import Senders, WithheldBody
from configsvc.service.turns import Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

READS = frozenset({"GET", "HEAD", "OPTIONS"})
PROBE_THREADS = 2
MAX_WAITING_PROBES = 64
MAX_WAITING_STREAMS = 64
SENDERS = 4
"""How many senders it takes, at the least, to fill the budget for bodies."""


@dataclass(frozen=True, slots=True)
class BridgeLimits:
    """Bounds of a bridge.

    Args:
        threads: Reads that compute at one time.
        write_threads: The same for all else: what changes something, or is sent to be judged.
        stream_threads: The same for requests whose body is streamed.
        max_waiting_reads: Reads that wait for a thread.
        max_waiting_writes: The same for all else.
        probes: Paths that have threads of their own, since they tell how the server does.
        max_body_bytes: Largest body, unless it is streamed.
        larger_bodies: Paths whose bodies may be larger, and how large.
        max_buffered_bytes: Most bytes of such bodies held at one time.
        body_timeout_s: Seconds a body may take; for a streamed one, how long it may come too slowly.
        first_bytes: Of a streamed body, how many come before a thread is taken.
        write_timeout_s: Seconds a client may take to accept the next bytes.
    """

    threads: int = 32
    write_threads: int = 32
    stream_threads: int = 8
    max_waiting_reads: int = 4096
    max_waiting_writes: int = 512
    probes: frozenset[str] = frozenset()
    max_body_bytes: int = 1 << 20
    larger_bodies: Mapping[str, int] = field(default_factory=dict)
    max_buffered_bytes: int = 64 << 20
    body_timeout_s: float = 30.0
    first_bytes: int = 64 << 10
    write_timeout_s: float = 30.0


def _never(_path: str) -> bool:
    return False


class WsgiBridge:
    """The WSGI application `app` as an ASGI application.

    Args:
        is_streamed: Tells for a path whether the application reads the body
            itself, as it comes and without a limit here.
        turns: Of writes at computing; None: all compute when they like.
        access: Asked before a body is read; None: nobody needs a credential.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        refusals: Refusals,
        limits: BridgeLimits,
        is_streamed: Callable[[str], bool] = _never,
        turns: Turns | None = None,
        access: Access | None = None,
    ) -> None:
        # Four senders can fill it, and the largest body has to fit into what one may hold.
        largest = max(limits.max_body_bytes, *limits.larger_bodies.values(), 0)
        share = max(limits.max_buffered_bytes // SENDERS, largest)
        self.budget = BodyBudget(limits.max_buffered_bytes, share)
        self._senders = Senders(access)
        self._app = app
        self._refusals = refusals
        self._limits = limits
        self._is_streamed = is_streamed
        self._reads = Pool("reads", limits.threads, limits.max_waiting_reads)
        self._writes = write_pool(limits.write_threads, limits.max_waiting_writes, turns)
        self._probes = Pool("probes", PROBE_THREADS, MAX_WAITING_PROBES)
        self._streams = Pool("git", limits.stream_threads, MAX_WAITING_STREAMS, GitBusy)
        self.pools = (self._reads, self._writes, self._probes, self._streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = self._answer_streamed if self._is_streamed(scope["path"]) else self._answer_whole
        try:
            sender = self._senders.admit(scope) if stated_length(scope["headers"]) != 0 else ""
        except Unauthorized as refusal:
            await self._answer_stranger(scope, receive, send, refusal)
            return
        await answer(scope, receive, send, sender)

    def close(self) -> None:
        """Start nothing more; threads under way end by themselves."""
        for pool in self.pools:
            pool.close()

    def _pool_of(self, scope: Scope) -> Pool:
        if scope["path"] in self._limits.probes:
            return self._probes
        return self._reads if scope["method"] in READS else self._writes

    async def _answer_whole(self, scope: Scope, receive: Receive, send: Send, sender: str) -> None:
        limits = self._limits
        max_bytes = limits.larger_bodies.get(scope["path"], limits.max_body_bytes)
        body = WholeBody(self.budget, sender, max_bytes, limits.body_timeout_s)
        answering = Answering(scope, send, self._refusals)
        exchange = Exchange(
            self._app,
            self._pool_of(scope),
            scope,
            receive,
            answering.send,
            limits.write_timeout_s,
            is_body_complete=lambda: True,
        )

        async def run() -> None:
            await exchange.run(io.BytesIO(await body.read(scope["headers"], receive)))

        try:
            await answering.run(run())
        finally:
            body.release()

    async def _answer_stranger(
        self, scope: Scope, receive: Receive, send: Send, refusal: Unauthorized
    ) -> None:
        """Let the application refuse a request, or answer it without its body, of which nothing is read."""
        answering = Answering(scope, send, self._refusals)
        exchange = Exchange(
            self._app,
            # Whatever its method: it changes nothing, and takes no turn of a write.
            self._reads,
            scope,
            receive,
            answering.send,
            self._limits.write_timeout_s,
            is_body_complete=lambda: False,
        )
        await answering.run(exchange.run(cast(BinaryIO, io.BufferedReader(WithheldBody(refusal)))))

    async def _answer_streamed(self, scope: Scope, receive: Receive, send: Send, sender: str) -> None:
        pace = Pace(self._limits.body_timeout_s)
        body = StreamedBody(receive, asyncio.get_running_loop(), pace, self.budget, sender)
        body.is_complete = stated_length(scope["headers"]) == 0
        answering = Answering(scope, send, self._refusals)
        exchange = Exchange(
            self._app,
            self._streams,
            scope,
            receive,
            answering.send,
            self._limits.write_timeout_s,
            is_body_complete=lambda: body.is_complete,
        )

        async def run() -> None:
            if scope["http_version"] == "1.0":
                raise Refused(http_problem(505, "HTTP/1.1 is needed here"))
            await body.begin(self._limits.first_bytes)
            await exchange.run(cast(BinaryIO, io.BufferedReader(body, SLICE_BYTES)))

        try:
            await answering.run(run())
        finally:
            body.leave()
