"""`GET /api/v1/watch` on the event loop, for thousands of clients.

A client that does not read is held up by its own connection: nothing is made for it until what was sent
is taken, and the connection is cut when that lasts too long (`write_timeout_s`).  It resumes by the id of
the last event that it has read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from configsvc.access.decide import Access
from configsvc.api import headers
from configsvc.api.hosts import find_host_problem
from configsvc.api.problems import problem_of
from configsvc.api.v1.watching import (
    EVENT_STREAM,
    HEARTBEAT,
    HEARTBEAT_S,
    WATCH_PATH,
    Watch,
    ended,
    read_watch,
    reconnect,
)
from configsvc.core.errors import ConfigError, ServiceClosed, Unavailable
from configsvc.edge.answering import Answerer
from configsvc.edge.asgi_types import AsgiApp, RawHeaders, Receive, Scope, Send, raw_headers, sent_value
from configsvc.edge.loophub import LoopHub, until_gone
from configsvc.edge.polls import Polls
from configsvc.edge.readings import watch_reading
from configsvc.edge.refusals import Refusals, Refused
from configsvc.metrics.metrics import Metrics
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import Snapshot


class WatchStreams:
    """Answers watches.

    Args:
        allowed_hosts: As `find_host_problem` takes them.
        heartbeat_s: Seconds after which a stream on which nothing happens is sent a comment.
    """

    def __init__(
        self,
        hub: LoopHub,
        access: Access,
        snapshot: Callable[[], Snapshot],
        refusals: Refusals,
        *,
        allowed_hosts: Collection[str] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.hub = hub
        self.access = access
        self.snapshot = snapshot
        self.refusals = refusals
        self.allowed_hosts = allowed_hosts
        self.heartbeat_s = heartbeat_s
        self.start = hub.start
        self.drain = hub.drain

    def find(self, scope: Scope) -> AsgiApp | None:
        """Return what answers a watch; None for anything else."""
        is_watch = scope["path"] == WATCH_PATH and scope["method"] == "GET"
        return self._answer if is_watch else None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        try:
            watch = self._open(scope)
        except ConfigError as error:
            raise Refused(problem_of(error)) from error
        wake = asyncio.Event()
        with self.hub.index.registered(watch.interest, wake.set):
            gone = asyncio.ensure_future(until_gone(receive, wake))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": stream_headers(watch)})
                await self._send_events(watch, wake, gone, send)
            finally:
                gone.cancel()
                self.refusals.log(scope, 200, started_s, WATCH_PATH)

    def _open(self, scope: Scope) -> Watch:
        authorization = sent_value(scope, b"authorization")
        problem = find_host_problem(sent_value(scope, b"host"), self.allowed_hosts)
        if problem is not None:
            raise Refused(problem)
        # Who asks comes first: who may not is told nothing of how full it is.
        self.access.admit(authorization)
        if self.hub.is_draining:
            raise ServiceClosed("watch: the server is shutting down (expected: try again elsewhere)")
        if self.hub.waiting >= self.hub.most:
            raise Unavailable(f"watches: {self.hub.most} are open (expected: fewer; try again)")
        ask = read_watch(scope["query_string"], sent_value(scope, b"last-event-id"))
        return Watch(ask, self.access, authorization, self.snapshot)

    async def _send_events(
        self, watch: Watch, wake: asyncio.Event, gone: asyncio.Future[None], send: Send
    ) -> None:
        while not gone.done():
            wake.clear()
            if self.hub.is_draining:
                await send(_part(reconnect(), is_last=True))
                return
            try:
                told = watch.step()
            except ConfigError as error:
                await send(_part(ended(error), is_last=True))
                return
            if told:
                await send(_part(told))
            if watch.is_up_to_date:
                if not await self._woken(watch, wake):
                    await send(_part(HEARTBEAT))
            else:
                await asyncio.sleep(0)  # a long way to go: others have their turn in between

    async def _woken(self, watch: Watch, wake: asyncio.Event) -> bool:
        """Wait to be woken, at most until the next heartbeat or the end of the credential."""
        is_late = False

        def ring() -> None:
            nonlocal is_late
            is_late = True
            wake.set()

        timer = asyncio.get_running_loop().call_later(watch.pause_s(self.heartbeat_s), ring)
        try:
            await wake.wait()
        finally:
            timer.cancel()
        return not is_late


def make_watches(
    service: ConfigService, access: Access, settings: Settings, metrics: Metrics | None = None
) -> tuple[Answerer, ...]:
    """Return what answers the watches of `service`, and the reads that wait."""
    hub = LoopHub(service.listen, most=settings.max_watches)
    if metrics is not None:
        metrics.add(watch_reading(hub))
    refusals = Refusals(lambda: service.snapshot().revision, metrics)
    hosts = settings.allowed_hosts(is_closed=not access.is_open)
    streams = WatchStreams(hub, access, service.snapshot, refusals, allowed_hosts=hosts)
    return streams, Polls(hub)


def stream_headers(watch: Watch) -> RawHeaders:
    """Return the headers of the answer that a watch is."""
    told = [
        ("Content-Type", EVENT_STREAM),
        ("Cache-Control", "no-store"),
        (headers.REVISION, str(watch.revision)),
        *headers.SECURITY,
    ]
    return raw_headers(told)


def _part(data: bytes, *, is_last: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": not is_last}
