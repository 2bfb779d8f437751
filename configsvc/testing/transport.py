"""Transports that answer from a function, without a network."""

from __future__ import annotations

from collections.abc import Callable

from configsvc.client import Answer, Request

Handler = Callable[[str, Request], Answer]


class FakeTransport:
    """Answers what `handler` returns, and raises what it raises.

    Args:
        handler: Takes the base URL and the request; raises NoAnswer to play a dead server.
    """

    def __init__(self, handler: Handler) -> None:
        self.sent: list[tuple[str, Request]] = []
        self.is_closed = False
        self._handler = handler

    def send(self, base_url: str, request: Request) -> Answer:
        """Note the request and return the handler's answer."""
        self.sent.append((base_url, request))
        return self._handler(base_url, request)

    def close(self) -> None:
        """Note that the client was closed."""
        self.is_closed = True


class AsyncFakeTransport:
    """The same for AsyncClient."""

    def __init__(self, handler: Handler) -> None:
        self.sent: list[tuple[str, Request]] = []
        self.is_closed = False
        self._handler = handler

    async def send(self, base_url: str, request: Request) -> Answer:
        """Note the request and return the handler's answer."""
        self.sent.append((base_url, request))
        return self._handler(base_url, request)

    async def close(self) -> None:
        """Note that the client was closed."""
        self.is_closed = True
