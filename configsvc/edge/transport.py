"""A connection's transport that cannot be held open by a client that neither reads nor leaves."""

from __future__ import annotations

import asyncio
from typing import Any

_NO_EXTRA: dict[str, Any] = {}
"""What the transport itself knows beside `inner`: nothing, and no dict for each."""


class ClosingTransport(asyncio.Transport):
    """Writes to `inner`; a close is done in bounded time, and loses no answer.

    Closing a socket with unread input makes the kernel reset the connection,
    and a reset may destroy an answer before the client has read it.  Whether
    input is under way cannot be known: the client may just be sending the rest
    of a request, or the next one.  So only the writing side is closed at first,
    and what comes is thrown away until the client hangs up or its time is over
    (RFC 9112, section 9.6).

    Args:
        linger_s: Seconds that the client has to hang up once all is sent.
        flush_s: Seconds that the client has to read what was written.
    """

    __slots__ = ("_flush_s", "_inner", "_linger_s", "_timer", "is_lingering")

    def __init__(self, inner: asyncio.Transport, *, linger_s: float, flush_s: float) -> None:
        super().__init__(_NO_EXTRA)
        self._inner = inner
        self._linger_s = linger_s
        self._flush_s = flush_s
        self._timer: asyncio.TimerHandle | None = None
        self.is_lingering = False
        """Whether a close has begun, and what comes is thrown away."""

    def close(self) -> None:
        """Send what was written, wait for the client to hang up, and close.  Closing twice is harmless."""
        if self.is_closing():
            return
        if self._inner.can_write_eof():
            self.is_lingering = True
            self._inner.write_eof()
            self._inner.resume_reading()
        else:
            self._inner.close()
        self._wait(flush_until=asyncio.get_running_loop().time() + self._flush_s)

    def close_at_once(self) -> None:
        """Close when all is sent, without waiting for the client to hang up; also after `close`."""
        self.close()
        self._inner.close()

    def forget(self) -> None:
        """Wait no longer: the connection is lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, flush_until: float) -> None:
        """Abort after `linger_s` that began with nothing unsent, at `flush_until` if something is unsent."""
        loop = asyncio.get_running_loop()
        if not self.get_write_buffer_size():
            self._timer = loop.call_later(self._linger_s, self._inner.abort)
        elif (left_s := flush_until - loop.time()) > 0:
            self._timer = loop.call_later(min(self._linger_s, left_s), self._wait, flush_until)
        else:
            self._inner.abort()

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

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from how many bytes that wait to be sent on the protocol is asked to pause."""
        self._inner.set_write_buffer_limits(high, low)
