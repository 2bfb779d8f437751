"""The HTTP server: uvicorn around a WSGI application."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from configsvc.access.decide import Access
from configsvc.access.rates import RateLimits
from configsvc.api.rates import PROBES
from configsvc.api.v1.paths import COMMITS_PATH
from configsvc.edge.allocator import CrowdAllocator
from configsvc.edge.answering import Answerer
from configsvc.edge.asgi import EdgeApp
from configsvc.edge.bridge import BridgeLimits, WsgiBridge
from configsvc.edge.connections import ProtocolLimits
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.limiting import Limiting
from configsvc.edge.memory import give_back_memory, shrink
from configsvc.edge.parking import Parking
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.readings import hot_reading, server_reading
from configsvc.edge.ready import ReadyAnswers
from configsvc.edge.refusals import Refusals
from configsvc.edge.tls import STRICT_TRANSPORT, tls_context
from configsvc.edge.watches import WatchStreams
from configsvc.edge.wire import Wire, WireProtocol
from configsvc.metrics.metrics import Metrics
from configsvc.service.turns import Turns
from configsvc.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BACKLOG = 4096
FILES_BESIDE_CONNECTIONS = 256
SPARE_STREAM_THREADS = 4
MANY_CONNECTIONS = 1000
"""When so many have left, the system gets back the memory that they had."""
CROWD = 250
"""Connections from which on the C library allocates small objects."""
TICKS_A_TRIM = 20
KNOWN_REQUESTS_SHARE = 2
"""What part of `hot_cache_bytes` may be used beside it for requests as they were sent."""


class Server(uvicorn.Server):
    """uvicorn's server that tells when it accepts connections, and when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._most_connections = 0  # since memory was given back
        self._connections_before = 0
        self._allocator = CrowdAllocator()
        self._is_crowded = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Do what is due ten times a second; return whether to stop."""
        count = len(self.server_state.connections)
        self._most_connections = max(self._most_connections, count)
        if (count >= CROWD) != self._is_crowded:
            self._is_crowded = count >= CROWD
            self._allocator.use_libc(self._is_crowded)
        if counter % TICKS_A_TRIM == 0:
            is_leaving = count < self._connections_before - MANY_CONNECTIONS
            if count < self._most_connections - MANY_CONNECTIONS and not is_leaving:
                self._most_connections = count
                shrink(self.server_state.connections)
                give_back_memory(is_collected=count < MANY_CONNECTIONS)
            self._connections_before = count
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, for a while, and then let go of every connection."""
        self._on_stop()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            cast(EdgeProtocol, connection).transport.abort()
        await asyncio.sleep(0)


def make_server(
    app: WSGIApplication,
    settings: Settings,
    *,
    revision: Callable[[], int],
    on_ready: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
    is_streamed: Callable[[str], bool] = lambda path: False,
    answerers: Sequence[Answerer] = (),
    hot: HotAnswerer | None = None,
    rates: RateLimits | None = None,
    turns: Turns | None = None,
    metrics: Metrics | None = None,
    access: Access | None = None,
) -> Server:
    """Return a server for `app`, to be run with its sockets.

    Args:
        revision: Returns the newest revision.
        on_ready: Called once, when connections are accepted.
        on_stop: Called once, when no more are.
        is_streamed: See `WsgiBridge`.
        answerers: Asked in turn before a request goes to `app`.
        hot: Asked after them; None: `app` answers all reads.
        metrics: Told what goes on here; None: nobody is.
        turns, access: See `WsgiBridge`.
        rates: Counts each request, once; None: nobody is limited.

    Raises:
        SettingInvalid: The certificate or its key cannot be used.
    """
    tls = tls_context(settings)
    refusals = Refusals(revision, metrics)
    limits = _bridge_limits(settings)
    bridge = WsgiBridge(
        app, refusals=refusals, limits=limits, is_streamed=is_streamed, turns=turns, access=access
    )
    if hot is not None:
        hot.hand_on_to(bridge)
        answerers = (*answerers, hot)
    limiting = None if rates is None else Limiting(rates)
    edge = EdgeApp(bridge, refusals, answerers, limiting=limiting)
    config = uvicorn.Config(
        edge,
        http=cast(Any, _protocol(settings, refusals, hot, rates, _find_streams(answerers))),
        loop="uvloop",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        headers=[] if tls is None else [STRICT_TRANSPORT],
        # Both are only ever handed to the loop, which takes fractions.
        timeout_keep_alive=cast(int, settings.keep_alive_s),
        timeout_graceful_shutdown=cast(int, settings.shutdown_grace_s),
    )

    def stop() -> None:
        edge.drain()
        on_stop()

    server = Server(config, on_ready, stop)
    if metrics is not None:
        metrics.add(server_reading(bridge, lambda: len(server.server_state.connections)))
        if hot is not None:
            metrics.add(hot_reading(hot))
    return server


def _protocol(
    settings: Settings,
    refusals: Refusals,
    hot: HotAnswerer | None,
    rates: RateLimits | None,
    streams: WatchStreams | None,
) -> Callable[..., EdgeProtocol]:
    limits = _protocol_limits(settings)
    if hot is None:
        return partial(EdgeProtocol, limits=limits, refusals=refusals)
    counting = rates if rates is not None and rates.is_limiting else None
    ready = ReadyAnswers(hot, settings.hot_cache_bytes // KNOWN_REQUESTS_SHARE, rates=counting)
    if not settings.wire:
        return partial(EdgeProtocol, limits=limits, refusals=refusals, ready=ready)
    parking = None if streams is None else Parking(streams, hot, ready)
    return partial(WireProtocol, limits=limits, refusals=refusals, ready=ready, wire=Wire(ready, parking))


def _find_streams(answerers: Sequence[Answerer]) -> WatchStreams | None:
    return next((each for each in answerers if isinstance(each, WatchStreams)), None)


def _bridge_limits(settings: Settings) -> BridgeLimits:
    return BridgeLimits(
        threads=settings.threads,
        write_threads=settings.write_threads,
        max_waiting_reads=settings.max_queued_reads,
        max_waiting_writes=settings.max_queued_writes,
        probes=PROBES,
        # Each git process may hold a thread while it computes; the others refuse what comes on top.
        stream_threads=settings.git_processes + SPARE_STREAM_THREADS,
        max_body_bytes=settings.max_document_bytes,
        larger_bodies={COMMITS_PATH: settings.max_body_bytes},
        max_buffered_bytes=settings.max_buffered_bytes,
        body_timeout_s=settings.body_timeout_s,
        write_timeout_s=settings.write_timeout_s,
    )


def _protocol_limits(settings: Settings) -> ProtocolLimits:
    return ProtocolLimits(
        header_timeout_s=settings.header_timeout_s,
        write_timeout_s=settings.write_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        max_head_bytes=settings.max_head_bytes,
        max_connections=_allow_files(settings.max_connections),
    )


def _allow_files(connections: int) -> int:
    """Let the process have a file for each connection; return how many connections that makes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_BESIDE_CONNECTIONS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, soft - FILES_BESIDE_CONNECTIONS)
