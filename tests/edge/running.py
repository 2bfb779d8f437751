"""A real server in a thread, and a client that says exactly the bytes it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from configsvc.access.decide import Access
from configsvc.access.rates import RateLimits
from configsvc.edge.answering import Answerer
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.server import make_server
from configsvc.metrics.metrics import Metrics
from configsvc.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATIENCE_S = 20.0
"""How long a test waits for what must come."""

REVISION = 7


@dataclass(frozen=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def running(
    app: WSGIApplication,
    settings: Settings,
    *,
    streamed_path: str = "",
    answerers: Sequence[Answerer] = (),
    hot: HotAnswerer | None = None,
    rates: RateLimits | None = None,
    metrics: Metrics | None = None,
    access: Access | None = None,
) -> Iterator[int]:
    """Serve `app` on a free port of 127.0.0.1 and yield the port."""
    ready = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(
            app,
            settings,
            revision=lambda: REVISION,
            on_ready=ready.set,
            is_streamed=lambda path: path == streamed_path,
            answerers=answerers,
            hot=hot,
            rates=rates,
            metrics=metrics,
            access=access,
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(PATIENCE_S)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def connect(port: int) -> socket.socket:
    """Return a connection to the server."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes; a reset is a failure."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def say(port: int, data: bytes) -> bytes:
    """Send `data` on a connection of its own and return all that comes until the server closes it."""
    with connect(port) as connection:
        connection.sendall(data)
        return read_to_end(connection)


def split_answers(data: bytes) -> list[Answer]:
    """Return the answers in `data`, one after another, whatever frames them."""
    answers = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        assert separator, data
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        if headers.get("transfer-encoding") == "chunked":
            body, data = _unchunk(rest)
        else:
            length = int(headers.get("content-length", "0"))
            body, data = rest[:length], rest[length:]
        answers.append(Answer(int(lines[0].split()[1]), headers, body))
    return answers


def ask(port: int, data: bytes) -> Answer:
    """Send `data` and return the one answer to it, after which the server closes."""
    (answer,) = split_answers(say(port, data))
    return answer


def get(target: str, *headers: str, method: str = "GET", close: bool = True) -> bytes:
    """Return a request without a body."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        *headers,
        *(["Connection: close"] if close else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _unchunk(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
        if length == 0:
            return body, data
