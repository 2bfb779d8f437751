"""Which of several servers to ask: the first one that is not known to be ill."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

ILL_FOR_S = 5.0
"""How long a server that failed is passed over while another one is well."""


class Endpoints:
    """The base URLs of a client and what is known of their health.

    Args:
        urls: In the order of preference.
        clock: Seconds that never go back.

    Raises:
        ValueError: One of them is no base URL; what may be a password is not shown.
    """

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        if not urls:
            raise ValueError("base_url: none (expected: at least one)")
        self.urls = tuple(map(_base_url, urls))
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


def _base_url(url: str) -> str:
    if not isinstance(url, str):
        raise ValueError(f"base_url: {type(url).__name__} (expected: text)")
    if "@" in url:
        # httpx writes the URLs that it asks for into its log, passwords and all.
        raise ValueError("base_url: has an @, as of a name and a password (expected: neither; see token)")
    if not _is_base_url(url):
        raise ValueError(f"base_url: {url!r} (expected: one such as https://config.example:5000)")
    return url.rstrip("/")


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_complete and url.isprintable() and not set(url) & set(" ?#")
