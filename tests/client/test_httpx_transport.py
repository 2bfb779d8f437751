"""What servers and networks do to one request, over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from configsvc.client import (
    AnswerInvalid,
    AsyncClient,
    Client,
    ClientClosed,
    NoAnswer,
    Request,
    Retries,
    Timeouts,
)
from configsvc.client import httpx_transport as transports
from configsvc.core.errors import RequestInvalid

pytestmark = pytest.mark.slow

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
ONCE = Retries(attempts=1)


@contextlib.contextmanager
def saying(data: bytes) -> Iterator[str]:
    """Yield the URL of a server that says this, and then nothing until the client hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(data)
                with contextlib.suppress(ConnectionError):
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def blocking(url: str, timeouts: Timeouts) -> None:
    with Client(url, timeouts=timeouts, retries=ONCE) as client:
        client.server_info()


def awaited(url: str, timeouts: Timeouts) -> None:
    async def ask() -> None:
        async with AsyncClient(url, timeouts=timeouts, retries=ONCE) as client:
            await client.server_info()

    asyncio.run(ask())


@pytest.mark.parametrize("ask", [blocking, awaited])
def test_an_answer_that_comes_drop_by_drop_is_given_up(ask: Callable[[str, Timeouts], None]) -> None:
    with saying(HEAD + b"{") as url, pytest.raises(NoAnswer, match="no end after 0 s"):
        ask(url, Timeouts(body_s=0.0))


@pytest.mark.parametrize("ask", [blocking, awaited])
def test_an_answer_of_any_size_is_not_taken(
    ask: Callable[[str, Timeouts], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "MAX_ANSWER_BYTES", 100)
    with saying(HEAD + b" " * 101) as url, pytest.raises(AnswerInvalid, match="more than 100 bytes"):
        ask(url, Timeouts())


def test_what_httpx_raises_of_its_own_is_an_error_of_ours() -> None:
    transport = transports.HttpxTransport(Timeouts())
    with pytest.raises(RequestInvalid, match="too long"):
        transport.send("http://127.0.0.1:1", Request("GET", "/", {"message": "x" * 70_000}))
    transport.close()
    for use in (transport.send, transport.stream):
        with pytest.raises(ClientClosed):
            use("http://127.0.0.1:1", Request("GET", "/"))
