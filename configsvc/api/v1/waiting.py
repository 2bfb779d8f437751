"""`?wait=` where each wait takes a thread: under any WSGI server, for few clients."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from flask import Response

from configsvc.api.guard import asker
from configsvc.core.fairturns import FairTurns
from configsvc.service import ConfigService
from configsvc.watch.hub import Hub
from configsvc.watch.interest import Interest

MAX_WAIT_S = 60
THREADED_WAITS = 8
"""Most reads that hold a thread while they wait; half of them those of one principal."""
_JITTER = 0.1


def jittered(seconds: float) -> float:
    """Return up to a tenth less, so that clients who came at once do not come again at once."""
    return seconds * (1 - _JITTER * random.random())  # noqa: S311


class ThreadedWaits:
    """Asks a read again after each change of its service, while the answer is 304."""

    def __init__(self, service: ConfigService, *, most: int = THREADED_WAITS) -> None:
        self._turns = FairTurns(
            "waits", most=most, most_waiting=0, patience_s=0.0, most_each=max(1, most // 2)
        )
        self._hub = Hub()
        self._service = service
        service.listen(self._hub.wake)
        service.on_drain(self._let_go)

    def answer(self, service: str, seconds: float, read: Callable[[], Response]) -> Response:
        """Return what `read` answers once it is not 304, or when `seconds` are over or the server stops.

        Raises:
            QueueFull: As many reads wait as may, or as many of this principal.
        """
        until = time.monotonic() + jittered(seconds)
        wake = threading.Event()
        with self._hub.registered(Interest(frozenset({service})), wake.set):
            response = read()
            if response.status_code != 304:
                return response
            with self._turns.taken(asker()):
                while response.status_code == 304 and not self._service.is_draining:
                    if not wake.wait(max(0.0, until - time.monotonic())):
                        break
                    wake.clear()
                    response = read()
        return response

    def _let_go(self) -> None:
        for wake in self._hub.all():
            wake()
