"""Transports that answer from a function, without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from configsvc.client import Answer, Request

Handler = Callable[[str, Request], Answer]


class FakeTransport:
    """Answers what `handler` returns, and raises what it raises; a watch ends after its answer.

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

    def stream(self, base_url: str, request: Request) -> FakeStream:
        """Note the request and return the handler's answer, to be read."""
        return FakeStream(self.send(base_url, request))

    def renew(self) -> None:
        """Do nothing: there is no connection that a forked process would share."""

    def close(self) -> None:
        """Note that the client was closed."""
        self.is_closed = True


class FakeStream:
    """An answer in one piece."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._body = answer.body

    def read(self) -> bytes:
        """Return the body, once."""
        body, self._body = self._body, b""
        return body

    def interrupt(self) -> None:
        """Do nothing: nobody waits."""

    def disown(self) -> None:
        """Do nothing: there is no connection."""

    def close(self) -> None:
        """Do nothing: there is no connection."""


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

    async def stream(self, base_url: str, request: Request) -> AsyncFakeStream:
        """Note the request and return the handler's answer, to be read."""
        return AsyncFakeStream(await self.send(base_url, request))

    async def close(self) -> None:
        """Note that the client was closed."""
        self.is_closed = True


class AsyncFakeStream:
    """The same for coroutines."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._body = answer.body

    async def read(self) -> bytes:
        """Return the body, once."""
        body, self._body = self._body, b""
        return body

    async def close(self) -> None:
        """Do nothing: there is no connection."""
