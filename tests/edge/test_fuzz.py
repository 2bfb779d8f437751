"""Requests with random faults, sent to the whole service over a real connection."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.edge.running import PATIENCE_S, connect, get, read_to_end, running, say

HOST = b"Host: localhost\r\n"
REQUESTS = [
    b"GET /config?service=x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST /config?service=x HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    b'Content-Length: 7\r\n\r\n{"a":1}',
    b"PATCH /config?service=x&enabled=false HTTP/1.1\r\n" + HOST + b"Content-Type: application/yaml\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\na: 12\r\n3\r\n 34\r\n0\r\nX: y\r\n\r\n",
    b"DELETE /config?service=x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"GET /readyz HTTP/1.0\r\n"
    + HOST
    + b"Expect: 100-continue\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    b'OPTIONS * HTTP/1.1\r\nIf-None-Match: "x", W/"y"\r\nConfig-Message: b\r\n' + HOST + b"\r\n",
]
FRAGMENTS = [
    *[
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"%00",
        b"%",
        b"&service=y",
        b"?",
        b"#",
        b";x=y",
        b"\xff",
    ],
    *[
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"chunked",
        b"0\r\n\r\n",
        b"HTTP/1.0",
        HOST,
    ],
    *[
        b"Expect: 100-continue\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
        b"GET",
        b"HEAD",
        b"A" * 3000,
    ],
    *[b"ffffffffffffffff\r\n", b"-1", b"99999999"],
]
QUICK = Settings(header_timeout_s=0.05, body_timeout_s=0.05, keep_alive_s=0.05)


def spoil(source: random.Random, data: bytes) -> bytes:
    """Return `data` with up to four faults."""
    spoilt = bytearray(data)
    for _ in range(source.randint(0, 4)):
        place = source.randint(0, len(spoilt))
        match source.randint(0, 4):
            case 0:
                spoilt[place : place + 1] = bytes([source.randint(0, 255)])
            case 1:
                spoilt[place:place] = source.choice(FRAGMENTS)
            case 2:
                del spoilt[place : place + source.randint(1, 6)]
            case 3:
                spoilt[place:place] = spoilt[max(0, place - source.randint(1, 30)) : place]
            case _:
                del spoilt[place:]
    return bytes(spoilt)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = create_app(ConfigService(MemoryStore()), QUICK)
    with pytest.MonkeyPatch.context() as patched, running(app, QUICK) as served:
        # A client held up between its two sends for longer than that would rightly be reset.
        patched.setattr("configsvc.edge.protocol.LINGER_S", PATIENCE_S)
        yield served


def send_spoilt(port: int, seed: int) -> None:
    """Send a connection's worth of spoilt requests, and hold what comes back to the protocol."""
    source = random.Random(seed)
    data = b"".join(spoil(source, source.choice(REQUESTS)) for _ in range(source.randint(1, 3)))
    with connect(port) as connection:
        cut = source.randint(0, len(data))
        connection.sendall(data[:cut])
        connection.sendall(data[cut:])
        answers = read_to_end(connection)
    assert not answers or answers.startswith(b"HTTP/1.1 "), (seed, data)
    statuses = {int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)}
    assert not [status for status in statuses if status >= 500 and status != 505], (seed, data)


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(0, 500, 100))
def test_no_request_makes_a_server_error_or_stops_the_server(port: int, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 100):
        send_spoilt(port, seed)
    assert say(port, get("/healthz")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.soak
def test_no_request_of_very_many_makes_a_server_error(port: int) -> None:
    for seed in range(1000, 50_000):
        send_spoilt(port, seed)
    assert say(port, get("/healthz")).startswith(b"HTTP/1.1 200 ")
