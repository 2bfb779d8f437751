"""The transports on httpx."""

from __future__ import annotations

import httpx

from configsvc.client.failures import NoAnswer
from configsvc.client.messages import Answer, Request
from configsvc.client.transport import Timeouts


class HttpxTransport:
    """Keeps connections open between requests."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._client = httpx.Client(timeout=_timeout(timeouts))

    def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        try:
            response = self._client.send(_outgoing(self._client, base_url, request))
        except httpx.HTTPError as error:
            raise _no_answer(base_url, error) from error
        return _answer(response)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class AsyncHttpxTransport:
    """The same for coroutines."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._client = httpx.AsyncClient(timeout=_timeout(timeouts))

    async def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        try:
            response = await self._client.send(_outgoing(self._client, base_url, request))
        except httpx.HTTPError as error:
            raise _no_answer(base_url, error) from error
        return _answer(response)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _timeout(timeouts: Timeouts) -> httpx.Timeout:
    return httpx.Timeout(
        connect=timeouts.connect_s, read=timeouts.read_s, write=timeouts.write_s, pool=timeouts.pool_s
    )


def _outgoing(client: httpx.Client | httpx.AsyncClient, base_url: str, request: Request) -> httpx.Request:
    return client.build_request(
        request.method,
        base_url + request.path,
        params=dict(request.params),
        headers=dict(request.headers),
        content=request.body or None,
    )


def _answer(response: httpx.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _no_answer(base_url: str, error: httpx.HTTPError) -> NoAnswer:
    # The base URL may hold a password; httpx leaves that out of its own messages, and so do we.
    host = httpx.URL(base_url).netloc.decode()
    return NoAnswer(f"{host}: {type(error).__name__} (expected: an answer)")
