"""`?wait=` where each wait takes a thread: under any WSGI server, for few clients."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from flask import Response

from configsvc.core.errors import Unavailable
from configsvc.service import ConfigService
from configsvc.watch.hub import Hub
from configsvc.watch.interest import Interest

MAX_WAIT_S = 60
THREADED_WAITS = 8
"""Most reads that hold a thread while they wait."""
_JITTER = 0.1


def jittered(seconds: float) -> float:
    """Return up to a tenth less, so that clients who came at once do not come again at once."""
    return seconds * random.uniform(1 - _JITTER, 1)  # noqa: S311


class ThreadedWaits:
    """Asks a read again after each change of its service, while the answer is 304."""

    def __init__(self, service: ConfigService, *, most: int = THREADED_WAITS) -> None:
        self._turns = threading.BoundedSemaphore(most)
        self._most = most
        self._hub = Hub()
        service.listen(self._hub.wake)

    def answer(self, service: str, seconds: float, read: Callable[[], Response]) -> Response:
        """Return what `read` answers once it is not 304, or when `seconds` are over.

        Raises:
            Unavailable: As many reads wait as may.
        """
        until = time.monotonic() + jittered(seconds)
        wake = threading.Event()
        with self._hub.registered(Interest(frozenset({service})), wake.set):
            response = read()
            if response.status_code != 304:
                return response
            if not self._turns.acquire(blocking=False):
                raise Unavailable(f"waits: {self._most} reads wait already (expected: fewer; try again)")
            try:
                while response.status_code == 304 and wake.wait(max(0.0, until - time.monotonic())):
                    wake.clear()
                    response = read()
            finally:
                self._turns.release()
        return response
