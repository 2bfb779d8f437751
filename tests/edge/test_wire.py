"""The wire: whatever comes, in whatever pieces, is answered as by the server without it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from configsvc.settings import Settings
from tests.access.book import Book
from tests.edge.pairs import Pair, pair
from tests.edge.running import connect, read_to_end, split_answers

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
    # Two ideas of where a request ends, or a head that a proxy may read otherwise.
    (with_lines(b"Content-Length: 0", b"Content-Length: 0"),),
    (with_lines(b"Content-Length: 0", b"Content-Length: %d" % len(GET)), GET),
    (with_lines(b"Content-Length: +0"),),
    (with_lines(b"Content-Length: 0, 0"),),
    (with_lines(b"Transfer-Encoding: chunked, identity"),),
    (with_lines(b"Transfer-Encoding: xchunked"),),
    (with_lines(b"Transfer-Encoding:\x0bchunked"),),
    (with_lines(b"Transfer-Encoding: chunked", b"Content-Length: 0"), b"0\r\n\r\n"),
    (with_lines(b"transfer-encoding: chunked", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    (with_lines(b"Accept: */*\r\n Transfer-Encoding: chunked"),),
    (with_lines(b"Accept: */*\n\nGET /secret HTTP/1.1"),),
    (with_lines(b"Accept: */*\r\n\r"),),
    (with_lines(b"Accept: */*\x00"),),
    (with_lines(b"X-\xff: a"),),
    (with_lines(b": a"),),
    (with_lines(b"Connection: close, keep-alive"),),
    (with_lines(b"Connection: keep-alive, Accept"),),
    (with_lines(b"Proxy-Connection: close"),),
    (with_lines(*(b"X-%d: y" % number for number in range(300))),),
    (with_lines(b"X: " + b"y" * 5000),),
    (with_lines(b"X: " + b"y" * 70_000),),
    (post(b'5;a=b\r\n{"a":\r\n2;c\r\n1}\r\n0;d="e"\r\n\r\n', b"Transfer-Encoding: chunked"), GET),
    (post(b"0x2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), GET),
    (post(b"-2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), GET),
    (post(b"2\n{}\n0\n\n", b"Transfer-Encoding: chunked"), GET),
    (post(b"2\r\n{}XX0\r\n\r\n", b"Transfer-Encoding: chunked"), GET),
    (GET * 20,),
    (GET + post(b"{}", b"Content-Length: 2") + GET,),
    (GET, post(b"{}", b"Content-Length: 2"), GET),
    (b"\r\n\r\n" + GET,),
    (b"\n" + GET,),
    (b" " + GET,),
    (GET.replace(b"\r\n\r\n", b"\r\n\n"),),
    (GET.replace(b"HTTP/1.1", b"HTTP/1.1 "),),
    (GET.replace(b"HTTP/1.1", b"http/1.1"),),
    (GET.replace(b"HTTP/1.1", b"HTTP/1.10"),),
    (GET.replace(b"GET", b"GETX"),),
    (GET.replace(b"localhost", b"localhost:80"),),
    (GET.replace(b"localhost", b""),),
    (GET.replace(b"localhost", b"local host"),),
    (GET.replace(b"web", b"web%00"),),
    (GET.replace(b"web", b"w\xc3\xa9b"),),
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
    before = both.ready[200]
    with connect(both.ports[0]) as connection:
        connection.sendall(GET)
        data = connection.recv(1 << 16)

    assert b"\r\ndate: " in data
    assert both.ready[200] == before + 1


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


def test_requests_that_come_byte_by_byte_are_answered_one_by_one(both: Pair) -> None:
    with connect(both.ports[0]) as connection:
        for place in range(len(GET)):
            connection.sendall(GET[place : place + 1])
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
        connection.sendall(CLOSE)
        assert [each.status for each in split_answers(read_to_end(connection))] == [200]


def test_a_client_that_closes_its_side_gets_the_answer_first(both: Pair) -> None:
    with connect(both.ports[0]) as connection:
        connection.sendall(GET)
        connection.shutdown(socket.SHUT_WR)
        assert [each.status for each in split_answers(read_to_end(connection))] == [200]


def test_a_client_that_does_not_read_is_not_answered_into_memory_and_is_cut_off() -> None:
    book = Book()
    book.put("web.json", b'{"a": "%s"}\n' % (b"x" * 50_000))
    with pair(book, Settings(wire=True, write_timeout_s=0.5)) as both:
        both.ask(both.ports[0], ("GET", "/config?service=web", {}))
        with connect(both.ports[0]) as connection, pytest.raises(ConnectionError):
            connection.sendall(GET * 1_000_000)
        with connect(both.ports[0]) as other:
            other.sendall(GET)
            assert other.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
    assert both.hot.ready[200] * 50_000 < 64 << 20  # what the buffers of the two kernels take


def test_a_connection_is_open_as_long_as_it_is_used_on_the_wire_too() -> None:
    book = Book()
    book.put("web.json", b"{}\n")
    with pair(book, SHORT) as both:
        both.ask(both.ports[0], ("GET", "/config?service=web", {}))
        with connect(both.ports[0]) as connection:
            until_s = time.monotonic() + 4 * SHORT.keep_alive_s
            asked = 0
            while time.monotonic() < until_s:
                connection.sendall(GET)
                assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")
                asked += 1
            assert read_to_end(connection) == b""
    assert both.hot.ready[200] >= asked


def test_the_same_bytes_are_asked_about_anew_after_each_change() -> None:
    book, seen = Book(), []
    api = GET.replace(b"/config?service=", b"/api/v1/configs/")
    with pair(book, Settings(wire=True)) as both, connect(both.ports[0]) as connection:
        for number in range(5):
            book.put("web.json", b'{"n": %d}\n' % number)
            book.access.refresh()  # as the server does with each publish
            for _ in range(3):
                connection.sendall(api)
                seen.append(connection.recv(1 << 16).rpartition(b"\r\n\r\n")[2])
    assert seen == [b'{"n": %d}\n' % number for number in range(5) for _ in range(3)]
    assert both.hot.ready[200] == 14  # all but the first, which Flask is asked for
