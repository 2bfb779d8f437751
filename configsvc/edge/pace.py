"""How slowly a body may come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from configsvc.edge.asgi_types import Message, Receive

MIN_BYTES_PER_S = 4096
"""A body may come more slowly than that for a while only."""


class Pace:
    """Counts the time that a sender lets pass against the bytes that come.  Used by the event loop only.

    The sender has `rest_s` seconds; each byte gives some back, and never more than there were at first,
    so neither dribbling nor what was sent before buys a long silence.

    Args:
        rest_s: Seconds in which nothing at all need come.
    """

    def __init__(
        self,
        rest_s: float,
        *,
        bytes_per_s: float = MIN_BYTES_PER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.left_s = rest_s
        self._rest_s = rest_s
        self._bytes_per_s = bytes_per_s
        self._clock = clock

    async def next(self, receive: Receive) -> Message:
        """Return the next message of a body.

        Raises:
            TimeoutError: It comes too slowly.
        """
        began_s = self._clock()
        try:
            async with asyncio.timeout(self.left_s):
                message = await receive()
        except TimeoutError:
            raise self._too_slow() from None
        self.left_s -= self._clock() - began_s
        if self.left_s <= 0:
            raise self._too_slow()
        self.left_s = min(self._rest_s, self.left_s + len(message.get("body", b"")) / self._bytes_per_s)
        return message

    def _too_slow(self) -> TimeoutError:
        return TimeoutError(
            f"body: comes too slowly (expected: {self._bytes_per_s:g} bytes a second, "
            f"and no silence of {self._rest_s:g} s)"
        )
