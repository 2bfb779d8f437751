"""The transports on httpx."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Mapping

import httpx

from configsvc.client.failures import NoAnswer
from configsvc.client.messages import Answer, Request
from configsvc.client.transport import Timeouts


def is_url(text: str) -> bool:
    """Return whether requests can be sent to `text`; what a host may be called, httpx knows."""
    try:
        return bool(httpx.URL(text).host)
    except (httpx.InvalidURL, ValueError):  # UnicodeError, of IDNA
        return False


class HttpxTransport:
    """Keeps connections open between requests.

    Raises:
        ValueError, ImportError: A proxy that the environment names cannot be used.
        OSError: Nor can the certificates.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        # Loading certificates takes longer than all the rest, and they serve each forked process as well.
        self._tls = httpx.create_ssl_context()
        self._client = self._made()
        self._of_the_parent: list[httpx.Client] = []

    def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        try:
            response = self._client.send(_outgoing(self._client, base_url, request, self._timeouts))
        except httpx.HTTPError as error:
            raise _no_answer(base_url, error) from error
        return Answer(response.status_code, _headers(response), response.content)

    def stream(self, base_url: str, request: Request) -> HttpxStream:
        """Return the answer as soon as its head is there, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        try:
            outgoing = _outgoing(self._client, base_url, request, self._timeouts)
            response = self._client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            raise _no_answer(base_url, error) from error
        return HttpxStream(base_url, response)

    def renew(self) -> None:
        """Begin without connections, after a fork."""
        # Closing what the parent uses too would say goodbye in its name, over TLS at least.
        self._of_the_parent.append(self._client)
        self._client = self._made()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _made(self) -> httpx.Client:
        try:
            return httpx.Client(timeout=_timeout(self._timeouts), verify=self._tls)
        except httpx.InvalidURL as error:
            raise ValueError(f"proxy: {error}") from error


class HttpxStream:
    """An answer whose body comes in pieces."""

    def __init__(self, base_url: str, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = _headers(response)
        self._base_url = base_url
        self._response = response
        self._parts = response.iter_raw()
        network = response.extensions.get("network_stream")
        self._socket = network.get_extra_info("socket") if network is not None else None
        self._is_interrupted = False

    def read(self) -> bytes:
        """Wait for the next piece and return it; empty at the end, or when it was interrupted.

        Raises:
            NoAnswer: The connection broke, or was silent for too long.
        """
        try:
            return next(self._parts, b"")
        except (httpx.HTTPError, httpx.StreamError) as error:
            if self._is_interrupted:
                return b""
            raise _no_answer(self._base_url, error) from error

    def interrupt(self) -> None:
        """End the wait of the thread that reads."""
        self._is_interrupted = True
        if self._socket is not None:
            # A close would not wake who waits in recv, and the method of a TLS socket of this name
            # touches state of that thread: this one tells the kernel only.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def disown(self) -> None:
        """Close this process's end of it, and not the connection, after a fork."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                os.close(self._socket.detach())

    def close(self) -> None:
        """Give back the connection."""
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            self._response.close()


class AsyncHttpxTransport:
    """The same for coroutines."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._client = httpx.AsyncClient(timeout=_timeout(timeouts))

    async def send(self, base_url: str, request: Request) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        try:
            response = await self._client.send(_outgoing(self._client, base_url, request, self._timeouts))
        except httpx.HTTPError as error:
            raise _no_answer(base_url, error) from error
        return Answer(response.status_code, _headers(response), response.content)

    async def stream(self, base_url: str, request: Request) -> AsyncHttpxStream:
        """Return the answer as soon as its head is there, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        try:
            outgoing = _outgoing(self._client, base_url, request, self._timeouts)
            response = await self._client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            raise _no_answer(base_url, error) from error
        return AsyncHttpxStream(base_url, response)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class AsyncHttpxStream:
    """The same for coroutines."""

    def __init__(self, base_url: str, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = _headers(response)
        self._base_url = base_url
        self._response = response
        self._parts = response.aiter_raw()

    async def read(self) -> bytes:
        """Wait for the next piece and return it; empty at the end.

        Raises:
            NoAnswer: The connection broke, or was silent for too long.
        """
        try:
            return await anext(self._parts, b"")
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _no_answer(self._base_url, error) from error

    async def close(self) -> None:
        """Give back the connection."""
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            # Not left to the loop, which may end before it comes to that.
            if isinstance(self._parts, AsyncGenerator):
                await self._parts.aclose()
            await self._response.aclose()


def _timeout(timeouts: Timeouts, read_s: float | None = None) -> httpx.Timeout:
    return httpx.Timeout(
        connect=timeouts.connect_s,
        read=timeouts.read_s if read_s is None else read_s,
        write=timeouts.write_s,
        pool=timeouts.pool_s,
    )


def _outgoing(
    client: httpx.Client | httpx.AsyncClient, base_url: str, request: Request, timeouts: Timeouts
) -> httpx.Request:
    return client.build_request(
        request.method,
        base_url + request.path,
        params=dict(request.params),
        headers=dict(request.headers),
        content=request.body or None,
        timeout=_timeout(timeouts, request.timeout_s),
    )


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _no_answer(base_url: str, error: Exception) -> NoAnswer:
    host = httpx.URL(base_url).netloc.decode()
    # Of these alone the text is the system's, or TLS's; that of others may show what was sent.
    why = f", {error}" if isinstance(error, httpx.NetworkError) and str(error) else ""
    return NoAnswer(f"{host}: {type(error).__name__}{why} (expected: an answer)")
