"""The transports on httpx."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import AsyncGenerator, Iterator, Mapping

import httpx

from configsvc.client.failures import AnswerInvalid, ClientClosed, NoAnswer
from configsvc.client.messages import Answer, Request
from configsvc.client.transport import Timeouts
from configsvc.core.errors import RequestInvalid

MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Largest body that is taken, decompressed: far above all that a server answers by its own bounds."""


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
            NoAnswer: There is none, or it does not end.
            AnswerInvalid: It is too large.
            ClientClosed: The client was closed meanwhile.
            RequestInvalid: The request is too long.
        """
        body = _Body(base_url, request, self._timeouts)
        with _told(base_url, self._client):
            outgoing = _outgoing(self._client, base_url, request, self._timeouts)
            response = self._client.send(outgoing, stream=True)
            body.begin()
            try:
                for part in response.iter_bytes():
                    body.add(part)
            finally:
                response.close()
        return Answer(response.status_code, _headers(response), body.whole())

    def stream(self, base_url: str, request: Request) -> HttpxStream:
        """Return the answer as soon as its head is there, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        with _told(base_url, self._client):
            outgoing = _outgoing(self._client, base_url, request, self._timeouts)
            response = self._client.send(outgoing, stream=True)
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
            NoAnswer: There is none, or it does not end.
            AnswerInvalid: It is too large.
            ClientClosed: The client was closed meanwhile.
            RequestInvalid: The request is too long.
        """
        body = _Body(base_url, request, self._timeouts)
        with _told(base_url, self._client):
            outgoing = _outgoing(self._client, base_url, request, self._timeouts)
            response = await self._client.send(outgoing, stream=True)
            body.begin()
            try:
                async for part in response.aiter_bytes():
                    body.add(part)
            finally:
                await response.aclose()
        return Answer(response.status_code, _headers(response), body.whole())

    async def stream(self, base_url: str, request: Request) -> AsyncHttpxStream:
        """Return the answer as soon as its head is there, whatever its status.

        Raises:
            NoAnswer: There is none.
        """
        with _told(base_url, self._client):
            outgoing = _outgoing(self._client, base_url, request, self._timeouts)
            response = await self._client.send(outgoing, stream=True)
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


class _Body:
    """The body of an answer, which ends in time and has a bounded size."""

    def __init__(self, base_url: str, request: Request, timeouts: Timeouts) -> None:
        self._base_url = base_url
        self._longest_s = timeouts.body_s if request.timeout_s is None else request.timeout_s
        self._parts: list[bytes] = []
        self._bytes = 0
        self._end_s = 0.0

    def begin(self) -> None:
        """Begin to count the time."""
        self._end_s = time.monotonic() + self._longest_s

    def add(self, part: bytes) -> None:
        """Take in the next piece.

        Raises:
            NoAnswer: It comes too late.
            AnswerInvalid: It is too much.
        """
        self._bytes += len(part)
        if self._bytes > MAX_ANSWER_BYTES:
            raise AnswerInvalid(f"body: more than {MAX_ANSWER_BYTES} bytes (expected: fewer)")
        if time.monotonic() > self._end_s:
            raise NoAnswer(
                f"{_host(self._base_url)}: no end after {self._longest_s:g} s (expected: an answer)"
            )
        self._parts.append(part)

    def whole(self) -> bytes:
        """Return all of it."""
        return b"".join(self._parts)


@contextlib.contextmanager
def _told(base_url: str, client: httpx.Client | httpx.AsyncClient) -> Iterator[None]:
    """Have what httpx raises told as what this project does."""
    try:
        yield
    except httpx.HTTPError as error:
        raise _no_answer(base_url, error) from error
    except httpx.InvalidURL as error:
        raise RequestInvalid(f"request: {error} (expected: a shorter one)") from error
    except RuntimeError as error:  # httpx has no class for that, nor for a stream that was closed meanwhile
        if client.is_closed:
            raise ClientClosed("client: closed (expected: open)") from error
        raise


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
    # Of these alone the text is the system's, or TLS's; that of others may show what was sent.
    why = f", {error}" if isinstance(error, httpx.NetworkError) and str(error) else ""
    return NoAnswer(f"{_host(base_url)}: {type(error).__name__}{why} (expected: an answer)")


def _host(base_url: str) -> str:
    return httpx.URL(base_url).netloc.decode()
