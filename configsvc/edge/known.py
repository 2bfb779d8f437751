"""Requests for plain reads as they came, with how they are answered as long as nothing changes."""

from __future__ import annotations

from configsvc.api.access_log import AccessLine
from configsvc.edge.epochs import NEVER
from configsvc.edge.hot import HotRead
from configsvc.edge.hot_requests import HotRequest

BYTES_BESIDE_REQUEST = 800
"""What a remembered request takes in memory beyond its bytes."""


class Decided:
    """A request, and how it is answered in an epoch; `NEVER`: that is not decided yet.

    Args:
        is_head: It is a HEAD request.
    """

    __slots__ = ("answered", "ends_at_s", "epoch", "is_head", "line", "read", "request", "status")

    def __init__(self, request: HotRequest, *, is_head: bool) -> None:
        self.request = request
        self.is_head = is_head
        self.epoch = NEVER
        self.read: HotRead | None = None
        self.ends_at_s = 0.0
        """Until when the credential is good."""
        self.status = 0
        self.line = AccessLine("", "", 0)
        self.answered = 0
        """How often it was answered since that was last told."""


class KnownRequests:
    """Requests as they came: the same bytes ask the same thing.

    Args:
        max_bytes: That they may take in memory; all are forgotten when there are more.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._all: dict[object, Decided] = {}
        self.find = self._all.get

    def keep(self, key: object, size: int, decided: Decided) -> None:
        """Remember a request of `size` bytes."""
        size += BYTES_BESIDE_REQUEST
        if self._used_bytes + size > self._max_bytes:
            self._all.clear()
            self._used_bytes = 0
        self._all[key] = decided
        self._used_bytes += size
