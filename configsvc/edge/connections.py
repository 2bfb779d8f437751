"""What the protocol of a connection is told, and what a connection may be left to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProtocolLimits:
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
