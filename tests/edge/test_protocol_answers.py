"""How an answer ends: without a length, unread, and when the server stops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from configsvc.settings import Settings
from tests.edge.running import PATIENCE_S, ask, connect, get, read_to_end, running
from tests.edge.wsgi_apps import Echo, Stream

HOST = b"Host: localhost\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
QUICK = Settings(header_timeout_s=0.2, body_timeout_s=0.2, write_timeout_s=0.2, keep_alive_s=0.3)


def test_an_answer_without_a_length_is_whole_for_a_client_of_http_1_0() -> None:
    app = Stream([b"a" * 100_000, b"b", b"c"])
    with running(app, Settings()) as port:
        answer = ask(port, b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
    assert answer.body == b"a" * 100_000 + b"bc"
    assert "transfer-encoding" not in answer.headers


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65536


def test_an_answer_that_nobody_reads_is_cut() -> None:
    app = Stream(endless())
    with running(app, QUICK) as port, connect(port) as connection:
        connection.sendall(get("/"))
        assert app.closed.wait(PATIENCE_S)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = read_to_end(connection)
    assert not received.endswith(b"0\r\n\r\n")


def test_an_answer_whose_reader_hangs_up_ends() -> None:
    app = Stream(endless())
    with running(app, Settings()) as port:
        with connect(port) as connection:
            connection.sendall(get("/"))
            connection.recv(1000)
        assert app.closed.wait(PATIENCE_S)


def test_a_stop_waits_for_the_request_under_way_but_not_for_idle_or_slow_connections() -> None:
    settings = Settings(shutdown_grace_s=0.2)
    with running(Echo(), settings) as port:
        kept = connect(port)
        kept.sendall(get("/", close=False))
        kept.recv(1 << 16)
        slow = connect(port)
        slow.sendall(POST + b"Content-Length: 3\r\n\r\na")
    with kept, slow:
        assert kept.recv(100) == b""
        assert slow.recv(100).startswith(b"HTTP/1.1 503 ")


def test_a_stop_does_not_linger_for_idle_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("configsvc.edge.protocol.LINGER_S", 600.0)
    with running(Echo(), Settings(shutdown_grace_s=600)) as port:
        kept, fresh = connect(port), connect(port)
        kept.sendall(get("/", close=False))
        kept.recv(1 << 16)
    with kept, fresh:
        assert (kept.recv(100), fresh.recv(100)) == (b"", b"")
