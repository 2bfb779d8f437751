"""`GET /api/v1/watch` where each watch takes a thread: under any WSGI server, for few clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

from flask import Response, g, request

from configsvc.api import headers
from configsvc.api.v1.watching import (
    EVENT_STREAM,
    HEARTBEAT,
    HEARTBEAT_S,
    Watch,
    ended,
    read_watch,
    reconnect,
)
from configsvc.core.errors import ConfigError, Unavailable
from configsvc.service import ConfigService
from configsvc.watch.hub import Hub

THREADED_WATCHES = 8
"""Most watches that hold a thread at one time."""
THREADED_WATCH_S = 30.0
"""Seconds after which such a watch is told to come again, so that others get a turn."""


class WatchApi:
    """Streams changes.

    Args:
        most: Watches at one time.
        seconds: Length of one.
    """

    def __init__(
        self, service: ConfigService, *, most: int = THREADED_WATCHES, seconds: float = THREADED_WATCH_S
    ) -> None:
        self._service = service
        self._seconds = seconds
        self._turns = threading.BoundedSemaphore(most)
        self._most = most
        self._hub = Hub()
        service.listen(self._hub.wake)

    def get(self) -> Response:
        """Answer the events of a watch, as they come."""
        ask = read_watch(request.query_string, request.headers.get("Last-Event-ID"))
        g.has_asked = True  # `Watch` does
        watch = Watch(ask, g.access, request.headers.get("Authorization"), self._service.snapshot)
        response = Response(b"", content_type=EVENT_STREAM)
        response.headers["Cache-Control"] = "no-store"
        response.headers[headers.REVISION] = str(watch.revision)
        if request.method == "GET":
            if not self._turns.acquire(blocking=False):
                raise Unavailable(f"watches: {self._most} are open (expected: fewer; try again)")
            events = _Turn(self._events(watch), self._turns)
            response.response = events
            response.call_on_close(events.close)
        return response

    def _events(self, watch: Watch) -> Generator[bytes, None, None]:
        until = time.monotonic() + self._seconds
        wake = threading.Event()
        with self._hub.registered(watch.interest, wake.set):
            while (left_s := until - time.monotonic()) > 0:
                wake.clear()
                try:
                    told = watch.step()
                except ConfigError as error:
                    yield ended(error)
                    return
                if told:
                    yield told
                elif watch.is_up_to_date and not wake.wait(min(left_s, watch.pause_s(HEARTBEAT_S))):
                    yield HEARTBEAT
        yield reconnect()


class _Turn:
    """Events that give back their turn when they end, or are closed, begun or not."""

    def __init__(self, events: Generator[bytes, None, None], turns: threading.BoundedSemaphore) -> None:
        self._events = events
        self._turns: threading.BoundedSemaphore | None = turns

    def __iter__(self) -> Generator[bytes, None, None]:
        try:
            yield from self._events
        finally:
            self.close()

    def close(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            self._events.close()
            turns.release()
