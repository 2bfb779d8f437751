"""What the protocol of a connection is told, and what a connection may be left to."""

from __future__ import annotations

import functools
from typing import NamedTuple, Protocol, TypeVar

MAX_HEADERS = 256
MAX_PIPELINED = 128
LINGER_S = 2.0
"""Seconds that a client has to hang up after the last answer."""
OVERFLOW_CONNECTIONS = 64
"""Connections beyond the cap that are told so; more are dropped without a word."""

T = TypeVar("T")


@functools.lru_cache(maxsize=256)
def shared(value: T) -> T:
    """Return the one of all equal values that the connections share, lest each keep its own."""
    return value


class ProtocolLimits(NamedTuple):
    """Bounds of one connection, and how many there may be.

    Args:
        header_timeout_s: Seconds from a request's first byte to the end of its head.
        write_timeout_s: Seconds a client may leave an answer unread.
        keep_alive_s: Seconds a connection may be idle.
        max_head_bytes: Request line and headers together.
    """

    header_timeout_s: float = 10.0
    write_timeout_s: float = 30.0
    keep_alive_s: float = 75.0
    max_head_bytes: int = 64 << 10
    max_connections: int = 10_000


class Parked(Protocol):
    """What a connection waits for that holds neither a task nor a request."""

    def leave(self) -> None:
        """End: the connection is lost."""

    def go_on(self) -> None:
        """Go on: the client reads again."""

    def stop(self) -> None:
        """Answer and end: the server stops."""
