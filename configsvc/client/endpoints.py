"""Which of several servers to ask: the first one that is not known to be ill."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

ILL_FOR_S = 5.0
"""How long a server that failed is passed over while another one is well."""


class Endpoints:
    """The base URLs of a client and what is known of their health.

    Args:
        urls: In the order of preference.
        clock: Seconds that never go back.
    """

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        if not urls:
            raise ValueError("base_url: none (expected: at least one)")
        self.urls = tuple(url.rstrip("/") for url in urls)
        self._clock = clock
        self._ill_until = dict.fromkeys(self.urls, 0.0)
        self._lock = threading.Lock()

    def choose(self) -> str:
        """Return the first well server, or else the one whose failure is the oldest."""
        with self._lock:
            now = self._clock()
            well = [url for url in self.urls if self._ill_until[url] <= now]
            return well[0] if well else min(self.urls, key=lambda url: self._ill_until[url])

    def failed(self, url: str) -> None:
        """Pass `url` over for a while."""
        with self._lock:
            self._ill_until[url] = self._clock() + ILL_FOR_S

    def answered(self, url: str) -> None:
        """Count `url` as well."""
        with self._lock:
            self._ill_until[url] = 0.0

    def renew(self) -> None:
        """Let go of a lock that a thread of the parent process may hold, after a fork."""
        self._lock = threading.Lock()
