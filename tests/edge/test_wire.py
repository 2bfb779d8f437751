"""The wire: whatever comes, in whatever pieces, is answered as by the server without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from configsvc.settings import Settings
from tests.access.book import Book
from tests.edge.running import connect, read_to_end, split_answers
from tests.edge.test_hot_reads import Pair, pair

GET = b"GET /config?service=web HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLOSE = b"GET /config?service=web HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SHORT = Settings(wire=True, keep_alive_s=0.3, header_timeout_s=0.3)


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    book = Book()
    book.put("web.json", b'{"a": 1}\n')
    with pair(book, Settings(wire=True)) as made:
        made.ask(made.ports[0], ("GET", "/config?service=web", {}))
        yield made


def with_lines(*lines: bytes) -> bytes:
    return GET[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(body: bytes, *lines: bytes) -> bytes:
    head = (b"POST /api/v1/validate HTTP/1.1", b"Host: localhost", *lines)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


CONVERSATIONS = [
    (GET,),
    (GET, GET),
    (GET + GET,),
    (GET + GET[:20], GET[20:]),
    (b"\r\n", GET),
    (b"\r\n" + GET,),
    (GET + b"\r\n",),
    (post(b"", b"Content-Length: %d" % len(GET)), GET),
    (post(b"%x\r\n" % len(GET), b"Transfer-Encoding: chunked"), GET, b"\r\n0\r\n\r\n"),
    (post(b"0\r\n", b"Transfer-Encoding: chunked"), b"X: y\r\n\r\n", GET),
    (with_lines(b"Content-Length: %d" % len(GET)), GET),
    (with_lines(b"Content-Length: 0"),),
    (with_lines(b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    (with_lines(b"Content-Length: 5", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    (with_lines(b"Transfer-Encoding : chunked"), b"0\r\n\r\n"),
    (with_lines(b"Connection: upgrade", b"Upgrade: websocket"),),
    (with_lines(b"Expect: 100-continue"),),
    (with_lines(b"Host: localhost"),),
    (with_lines(b"Host: evil.example"),),
    (with_lines(b"Bad Header"),),
    (with_lines(b"Bad Header: x"),),
    (with_lines(b" folded"),),
    (with_lines(b"Accept: a\x00b"),),
    (with_lines(b"User-Agent: a\nX: b"),),
    (with_lines(b"User-Agent: a\rX: b"),),
    (with_lines(b"User-Agent:"),),
    (with_lines(b"User-Agent:\tx\t"),),
    (with_lines(b'If-None-Match: "a"', b'If-None-Match: "b"'),),
    (GET.replace(b"Host: localhost\r\n", b""),),
    (GET.replace(b"1.1", b"1.0"),),
    (GET.replace(b"1.1", b"1.2"),),
    (GET.replace(b"1.1", b"2.0"),),
    (GET.replace(b"GET", b"get"),),
    (GET.replace(b"GET ", b"GET  "),),
    (GET.replace(b" HTTP", b"\tHTTP"),),
    (GET.replace(b"GET /", b"GET http://localhost/"),),
    (GET.replace(b"web", b"web#a"),),
    (GET.replace(b"\r\n", b"\n"),),
    (GET.replace(b"GET", b"HEAD"),),
    (GET.replace(b"/config?service=web HTTP/1.1", b"/config?service=web"),),
]


def talk(port: int, parts: tuple[bytes, ...]) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Say each part once what was said before is sent, and then ask for the end."""
    with connect(port) as connection:
        for part in (*parts, CLOSE):
            connection.sendall(part)
        data = read_to_end(connection)
    found = []
    if b"HEAD" in parts[0]:
        return [(0, [], data.partition(b"content-type")[0][:15])]
    for answer in split_answers(data):
        kept = sorted((name, value) for name, value in answer.headers.items() if name != "date")
        found.append((answer.status, kept, answer.body))
    return found


@pytest.mark.parametrize("parts", CONVERSATIONS, ids=range(len(CONVERSATIONS)))
def test_a_conversation_goes_as_without_the_wire(both: Pair, parts: tuple[bytes, ...]) -> None:
    expected = talk(both.ports[1], parts)

    assert talk(both.ports[0], parts) == expected
    assert expected


def test_a_request_may_be_cut_anywhere(both: Pair) -> None:
    for place in range(1, len(GET)):
        with connect(both.ports[0]) as connection:
            connection.sendall(GET[:place])
            connection.sendall(GET[place:] + CLOSE)
            assert [each.status for each in split_answers(read_to_end(connection))] == [200, 200]


def test_answers_of_the_wire_carry_the_date(both: Pair) -> None:
    before = both.hot.ready[200]
    with connect(both.ports[0]) as connection:
        connection.sendall(GET)
        data = connection.recv(1 << 16)

    assert b"\r\ndate: " in data
    assert both.hot.ready[200] == before + 1


@pytest.mark.parametrize("rest", [b"", GET[:20]])
def test_a_connection_on_the_wire_is_closed_when_it_is_idle_or_slow(rest: bytes) -> None:
    book = Book()
    book.put("web.json", b"{}\n")
    with pair(book, SHORT) as both:
        both.ask(both.ports[0], ("GET", "/config?service=web", {}))
        with connect(both.ports[0]) as connection:
            connection.sendall(GET)
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
            connection.sendall(rest)
            assert [each.status for each in split_answers(read_to_end(connection))] == ([408] if rest else [])
