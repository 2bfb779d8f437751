"""Plain reads answered on the event loop; what is not kept yet is made by the application, once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from configsvc.access.decide import Access
from configsvc.api import headers
from configsvc.api.access_log import NO_REQUEST_ID, AccessLine, log_access
from configsvc.core.measures import Spread
from configsvc.edge.asgi_types import AsgiApp, RawHeaders, Receive, Scope, Send
from configsvc.edge.exchange import SLICE_BYTES
from configsvc.edge.hot import HotRead, HotReads
from configsvc.edge.hot_bulk import HotBulk
from configsvc.edge.hot_maker import HotMaker
from configsvc.edge.hot_readers import HotReaders
from configsvc.edge.hot_requests import HotRequest, find_request, is_hot, is_named, target_of
from configsvc.edge.polls import HELD
from configsvc.edge.read_ahead import ReadAhead
from configsvc.service import ConfigService
from configsvc.store.base import Snapshot

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FILL_THREADS = 4
MAX_HOSTS = 256
TRIES = 3
"""How often an answer is made anew because the service changed meanwhile; then Flask answers the client."""

_REVISION = headers.REVISION.lower().encode("ascii")


class HotAnswerer:
    """Answers plain reads of newest documents as `app` would, in front of it.

    Args:
        app: Makes the answers that are kept; its own log of requests left out.
        service: That `app` is over.
        max_bytes: See `HotReads`.
    """

    def __init__(self, app: WSGIApplication, access: Access, service: ConfigService, max_bytes: int) -> None:
        self.reads = HotReads(max_bytes)
        self.answered: Counter[int] = Counter()
        """How many answers were given through ASGI, by status."""
        self.ready: Counter[int] = Counter()
        """The same of answers that went straight to the network."""
        self.spread = Spread()
        """Seconds that the answers through ASGI took."""
        self.made = 0
        """How many answers were made when they were asked for."""
        self.newest = service.snapshot
        self.now_s = access.now_s
        self._readers = HotReaders(access, service.snapshot)
        self._hosts: set[bytes] = set()  # that the application has answered to
        self._making: dict[tuple[bytes, bytes], asyncio.Future[HotRead | None]] = {}
        self._pool = ThreadPoolExecutor(FILL_THREADS, "hot")
        self._maker = HotMaker(app, service)
        self._bulk = HotBulk(self._maker, self._pool)
        self._ahead = ReadAhead(self._maker, self.reads, self._pool)
        self._behind: AsgiApp | None = None

    def start(self) -> None:
        """Begin."""

    def hand_on_to(self, behind: AsgiApp) -> None:
        """Let `behind` answer what turns out not to be for here."""
        self._behind = behind

    def find(self, scope: Scope) -> AsgiApp | None:
        """Return what answers a plain read; None for anything else."""
        return self._answer if self._behind is not None and is_hot(scope) else None

    def find_kept(self, request: HotRequest, snapshot: Snapshot) -> HotRead | None:
        """Return the kept answer to a request; None when it has to be made, or is not for here.

        Args:
            snapshot: The newest one.
        """
        read = self._find(request, snapshot)
        is_fit = read is not None and not read.is_unfit and request.host in self._hosts
        if read is None or not is_fit or not request.is_content(read.media_type):
            return None
        return read if self._readers.admits(request.authorization, read.service) else None

    def _find(self, request: HotRequest, snapshot: Snapshot) -> HotRead | None:
        """Return what is kept for a request, or can be made of what is in memory."""
        read = self.reads.find(request.target, snapshot)
        is_fillable = read is None and request.host in self._hosts
        if is_fillable and self._readers.admits(request.authorization, request.service):
            read = self._maker.fill_at_once(request, snapshot)
            if read is not None:
                self.made += 1
                self.reads.keep(request.target, read)
        return read

    def ends_at_s(self, request: HotRequest) -> float:
        """Return until when the credential of a request is good for which there was a kept answer."""
        return self._readers.ends_at_s(request.authorization)

    def admits(self, authorization: bytes | None, service: str) -> bool:
        """Return whether it is known that a request with this Authorization header may read `service`."""
        return self._readers.admits(authorization, service)

    async def keep(self, request: HotRequest, scope: Scope) -> None:
        """Have the answer to a request kept, if it is one to keep."""
        await self._read(request, scope)

    def note_ready(self, target: bytes, line: AccessLine, status: int, times: int) -> None:
        """Count and log answers to `target` that went straight to the network, and took no time."""
        self.reads.touch(target)
        self.ready[status] += times
        line.log_times(times)

    def note_ready_all(self, line: AccessLine, status: int, durations_s: Sequence[float]) -> None:
        """Count and log answers that went straight to the network together."""
        self.ready[status] += len(durations_s)
        line.log_all(durations_s)

    def drain(self) -> None:
        """Make no more answers ahead; nothing waits here."""
        self._ahead.stop()
        self._maker.stop()

    def close(self) -> None:
        """Let go of the threads; none of them reads any longer."""
        self._maker.stop()
        self._pool.shutdown(cancel_futures=True)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        request = find_request(target_of(scope), scope["headers"])
        read = None if request is None else await self._read(request, scope)
        if request is None or read is None or not request.is_content(read.media_type):
            assert self._behind is not None
            await self._behind(scope, receive, send)
            return
        is_known = request.tag == read.tag
        has_body = not is_known and scope["method"] == "GET"
        text = memoryview(read.text)  # now: it may be kept no longer when the head is sent
        head: RawHeaders = [(_REVISION, b"%d" % read.revision), *read.head(is_whole=not is_known)]
        status = 304 if is_known else 200
        await send({"type": "http.response.start", "status": status, "headers": head})
        await _send_body(send, text[read.body_start if has_body else len(text) :])
        self._note(scope, status, started_s)

    def _note(self, scope: Scope, status: int, started_s: float) -> None:
        """Count and log an answer that goes through ASGI: all of them come through here."""
        held = scope.get(HELD)
        if held is not None and not held.is_sent:
            return  # a look of one that waits on
        self.answered[status] += 1
        now_s = time.perf_counter()
        self.spread.observe(now_s - started_s)
        query = scope["query_string"].decode("latin-1")
        target = scope["path"] + ("?" + query if query else "")
        if held is not None:
            target, started_s = held.target.decode("latin-1"), held.started_s
        log_access(scope["method"], target, status, now_s - started_s, NO_REQUEST_ID)

    async def _read(self, request: HotRequest, scope: Scope) -> HotRead | None:
        """Return the answer as of the newest snapshot; None when it is Flask's to give."""
        for _ in range(TRIES):
            service = request.service
            if not self._readers.admits(request.authorization, service):
                return None
            snapshot = self.newest()
            read = self._find(request, snapshot)
            if read is not None and (read.is_unfit or request.host in self._hosts):
                return None if read.is_unfit else read
            entry = snapshot.find(service) if is_named(request) else None
            if entry is None or entry.deleted:
                return None
            if await self._make(request, scope) is None:
                return None
        return None

    async def _make(self, request: HotRequest, scope: Scope) -> HotRead | None:
        """Return what the application answers, now kept; those who ask meanwhile wait for the same."""
        key = (request.target, request.host)
        making = self._making.get(key)
        if making is None:
            making = asyncio.get_running_loop().create_task(self._ask(request, scope))
            self._making[key] = making
            self.made += 1
            self._ahead.note_made(request, self.newest())
            # The first to be called, so that those who wait find it kept.
            making.add_done_callback(partial(self._end_making, key))
        return await asyncio.shield(making)

    async def _ask(self, request: HotRequest, scope: Scope) -> HotRead | None:
        """Return the answer by its template, or the application's where there is none or its host is new."""
        is_met = request.host in self._hosts
        if is_met and self._maker.find(self.newest(), request.service, is_seed=request.is_seed) is not None:
            made = await self._bulk.make(request)
            if made is not None:
                return made
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._maker.ask, request, dict(scope))

    def _end_making(self, key: tuple[bytes, bytes], making: asyncio.Future[HotRead | None]) -> None:
        del self._making[key]
        made = None if making.cancelled() or making.exception() else making.result()
        if made is None:
            return
        target, host = key
        self.reads.keep(target, made)
        if len(self._hosts) >= MAX_HOSTS:
            self._hosts.clear()
        self._hosts.add(host)


async def _send_body(send: Send, body: memoryview) -> None:
    """Send a body in pieces that are no copies: a thousand clients that do not read hold little."""
    for start in range(0, len(body) or 1, SLICE_BYTES):
        piece = body[start : start + SLICE_BYTES]
        is_last = start + SLICE_BYTES >= len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
