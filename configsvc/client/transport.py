"""How bytes move: one method and a close.  The real ones are in `httpx_transport`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from configsvc.client.messages import Answer, Request


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds on one request, in seconds; there is no way to wait for ever."""

    connect_s: float = 2.0
    read_s: float = 10.0
    write_s: float = 10.0
    pool_s: float = 5.0


class Transport(Protocol):
    """Sends a request to a server.  May be used by many threads at once."""

    def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """

    def close(self) -> None:
        """Give back all connections."""


class AsyncTransport(Protocol):
    """The same for coroutines."""

    async def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """

    async def close(self) -> None:
        """Give back all connections."""
