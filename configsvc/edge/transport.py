"""A connection's transport that cannot be held open by a client that neither reads nor leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class ClosingTransport(asyncio.Transport):
    """Writes to `inner`; a close is done in bounded time, and loses no answer.

    Closing a socket with unread input makes the kernel reset the connection,
    and a reset may destroy the answer before the client has read it.  So while
    the client still sends, only the writing side is closed at first, and what
    comes is thrown away (RFC 9112, section 9.6).

    Args:
        is_receiving: Tells whether the client is in the middle of a request.
        linger_s: Seconds that the client has to notice and hang up.
        flush_s: Seconds that the client has to read what was written.
    """

    def __init__(
        self, inner: asyncio.Transport, is_receiving: Callable[[], bool], *, linger_s: float, flush_s: float
    ) -> None:
        super().__init__()
        self._inner = inner
        self._is_receiving = is_receiving
        self._linger_s = linger_s
        self._flush_s = flush_s
        self._deadline: asyncio.TimerHandle | None = None
        self.is_lingering = False

    def close(self) -> None:
        """Close when all is written; at the deadline in any case.  Closing twice is harmless."""
        if self.is_closing():
            return
        if self._is_receiving() and self._inner.can_write_eof():
            self.is_lingering = True
            self._inner.write_eof()
            self._inner.resume_reading()
            self._arm(self._linger_s)
        else:
            self._inner.close()
            self._arm(self._flush_s)

    def forget(self) -> None:
        """Drop the deadline: the connection is lost."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _arm(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._inner.abort)

    def abort(self) -> None:
        """Close at once."""
        self._inner.abort()

    def is_closing(self) -> bool:
        """Return whether a close has begun."""
        return self.is_lingering or self._inner.is_closing()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write, unless a close has begun."""
        if not self.is_lingering:
            self._inner.write(data)

    def pause_reading(self) -> None:
        """Stop receiving."""
        if not self.is_closing():
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        if not self.is_closing():
            self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what `inner` knows."""
        return self._inner.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._inner.get_write_buffer_size()
