"""How bytes move: one method and a close.  The real ones are in `httpx_transport`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from configsvc.client.messages import Answer, Request


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds on one request, in seconds; there is no way to wait for ever.

    Args:
        read_s: Longest silence while an answer is awaited.
        pool_s: Longest wait for a connection while all are in use.
        body_s: Longest time from the head of an answer to its end, however little of it is silence.
    """

    connect_s: float = 2.0
    read_s: float = 10.0
    write_s: float = 10.0
    pool_s: float = 5.0
    body_s: float = 60.0


class Stream(Protocol):
    """An answer whose body comes in pieces.  Read by one thread."""

    @property
    def status(self) -> int:
        """Of the answer."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""

    def read(self) -> bytes:
        """Wait for the next piece and return it; empty at the end, or when it was interrupted.

        Raises:
            NoAnswer: The connection broke, or was silent for too long.
        """

    def interrupt(self) -> None:
        """End the wait of the thread that reads; any thread may call it."""

    def disown(self) -> None:
        """Let go of it in a forked process; it stays as it is for the parent."""

    def close(self) -> None:
        """Give back the connection."""


class AsyncStream(Protocol):
    """The same for coroutines; who waits for `read` may be cancelled, and only closes it then."""

    @property
    def status(self) -> int:
        """Of the answer."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""

    async def read(self) -> bytes:
        """Wait for the next piece and return it; empty at the end.

        Raises:
            NoAnswer: The connection broke, or was silent for too long.
        """

    async def close(self) -> None:
        """Give back the connection."""


class Transport(Protocol):
    """Sends a request to a server.  May be used by many threads at once."""

    def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """

    def stream(self, base_url: str, request: Request) -> Stream:
        """Return the answer as soon as its head is there, whatever its status.

        Raises:
            NoAnswer: There is none.
        """

    def renew(self) -> None:
        """Let go of the connections, which are those of the parent process, after a fork."""

    def close(self) -> None:
        """Give back all connections."""


class AsyncTransport(Protocol):
    """The same for coroutines."""

    async def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """

    async def stream(self, base_url: str, request: Request) -> AsyncStream:
        """Return the answer as soon as its head is there, whatever its status.

        Raises:
            NoAnswer: There is none.
        """

    async def close(self) -> None:
        """Give back all connections."""
