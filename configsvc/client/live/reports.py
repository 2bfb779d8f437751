"""Tells the server of versions that do not fit: on the side, since nothing may wait for it or fail by it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from configsvc.client import calls
from configsvc.client.calls import Call
from configsvc.client.live.config import Rejection
from configsvc.client.retrying import Retries

MAX_WAITING = 100
"""Reports that wait for a server; the oldest are let go."""
ANSWER_WITHIN_S = 2.0

RETRIES = Retries(attempts=2, first_delay_s=0.5, max_delay_s=2.0)

_log = logging.getLogger("configsvc.client")

Send = Callable[[Call[None], Retries], None]


def report_of(service: str, rejection: Rejection, application: str) -> Call[None]:
    """Return the call that tells the server of a version that does not fit, without any value of it."""
    call = calls.report_rejection(service, rejection.version, rejection.findings, application=application)
    return replace(call, request=replace(call.request, timeout_s=ANSWER_WITHIN_S))


class Reports:
    """Sends reports one after another, in a thread that ends when there are none.  Thread-safe.

    Args:
        send: Runs a call.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()  # guards the two below
        self._waiting: deque[Call[None]] = deque(maxlen=MAX_WAITING)
        self._is_working = False

    def add(self, report: Call[None]) -> None:
        """Have a report sent; after the end, do nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._waiting.append(report)
            if self._is_working:
                return
            self._is_working = True
        try:
            threading.Thread(target=self._work, name="configsvc-reports", daemon=True).start()
        except RuntimeError:  # the process ends, or has no threads left
            _log.debug("report: no thread for it")
            self._begin()

    def close(self) -> None:
        """Send no more.  What is on its way ends with the connections; nobody waits for it."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()

    def renew(self) -> None:
        """Begin anew in a forked process: what the parent has to tell, the parent tells."""
        self._begin()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_working = False
                    return
                report = self._waiting.popleft()
            try:
                self._send(report, RETRIES)
            except Exception as error:  # noqa: BLE001 - the edge of a thread; a server may know no reports
                note_untold(report, error)


def note_untold(report: Call[None], error: Exception) -> None:
    """Log that a report did not reach the server, for who looks for it."""
    _log.debug("report: %s: %s", report.request.path, error)
