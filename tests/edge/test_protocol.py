from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from configsvc.edge.connections import MAX_HEADERS
from configsvc.settings import Settings
from tests.edge.running import PATIENCE_S, ask, connect, get, read_to_end, running, say, split_answers
from tests.edge.wsgi_apps import Echo

HOST = b"Host: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
QUICK = Settings(header_timeout_s=0.2, body_timeout_s=0.2, write_timeout_s=0.2, keep_alive_s=0.3)


@pytest.fixture(scope="module")
def echo() -> Echo:
    return Echo()


@pytest.fixture(scope="module")
def port(echo: Echo) -> Iterator[int]:
    with running(echo, Settings(max_document_bytes=100_000)) as served:
        yield served


@pytest.fixture(scope="module")
def quick_port() -> Iterator[int]:
    with running(Echo(), QUICK) as served:
        yield served


REFUSED = {
    "length and chunks": (400, POST + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "chunks and length": (400, POST + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n"),
    "chunked, then identity": (400, POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    "coding before chunked": (400, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "coding that looks like chunked": (400, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "identity": (400, POST + b"Transfer-Encoding: identity\r\n\r\n"),
    "vertical tab before chunked": (400, POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "chunked in HTTP/1.0": (400, b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n"),
    "two equal lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "two lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    "list of lengths": (400, POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    "length with a sign": (400, POST + b"Content-Length: +3\r\n\r\nabc"),
    "negative length": (400, POST + b"Content-Length: -3\r\n\r\nabc"),
    "length beyond 64 bits": (400, POST + b"Content-Length: 99999999999999999999\r\n\r\nabc"),
    "empty length": (400, POST + b"Content-Length: \r\n\r\nabc"),
    "space before the colon": (400, POST + b"Content-Length : 3\r\n\r\nabc"),
    "folded header": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\r\n folded\r\n\r\n"),
    "folded coding": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "space before the first header": (400, b"GET / HTTP/1.1\r\n X: 1\r\n" + HOST + b"\r\n"),
    "line feeds alone": (400, b"GET / HTTP/1.1\nHost: localhost\n\n"),
    "carriage return in a value": (400, b"GET / HTTP/1.1\r\nHost: localhost\rX: 1\r\n\r\n"),
    "NUL in a value": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n"),
    "header without a name": (400, b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n"),
    "header without a colon": (400, b"GET / HTTP/1.1\r\n" + HOST + b"foo\r\n\r\n"),
    "lower-case method": (400, b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "unheard-of method": (400, b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "CONNECT": (400, b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "HTTP/0.9": (505, b"GET /\r\n\r\n"),
    "HTTP/0.9, spelt out": (505, b"GET / HTTP/0.9\r\n\r\n"),
    "HTTP/2 in the request line": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)),
    "space in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "bytes beyond ASCII in the target": (400, b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n"),
    "fragment": (400, b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "asterisk": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target of another host": (400, b"GET http://evil/a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target with a user": (400, b"GET http://localhost@evil/a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
    "chunk size is no number": (400, POST + CHUNKED + b"\r\nxyz\r\nabc\r\n0\r\n\r\n"),
    "chunk size with 0x": (400, POST + CHUNKED + b"\r\n0x3\r\nabc\r\n0\r\n\r\n"),
    "negative chunk size": (400, POST + CHUNKED + b"\r\n-3\r\nabc\r\n0\r\n\r\n"),
    "chunk size with a space": (400, POST + CHUNKED + b"\r\n3 \r\nabc\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": (400, POST + CHUNKED + b"\r\nfffffffffffffffff\r\nabc"),
    "chunk longer than its size": (400, POST + CHUNKED + b"\r\n3\r\nabcd\r\n0\r\n\r\n"),
    "chunk size ended by a line feed": (400, POST + CHUNKED + b"\r\n3\nabc\r\n0\r\n\r\n"),
    "length as a trailer": (400, POST + CHUNKED + b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "one huge header": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 70_000 + b"\r\n\r\n"),
    "many headers": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * MAX_HEADERS + b"\r\n"),
    "huge target": (431, b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "huge length": (413, POST + b"Content-Length: 1000000000000\r\n\r\nabc"),
    "too many chunks": (413, POST + CHUNKED + b"\r\n" + (b"ffff\r\n" + b"x" * 65535 + b"\r\n") * 2),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_could_be_read_two_ways_is_refused_and_the_connection_closed(
    port: int, echo: Echo, case: str
) -> None:
    status, data = REFUSED[case]
    calls = echo.calls
    answer = ask(port, data)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["config-revision"] == "7"
    assert answer.headers["date"]
    assert json.loads(answer.body)["status"] == status
    assert echo.calls == calls


def test_a_malformed_request_for_config_is_refused_in_the_words_of_its_dialect(port: int) -> None:
    answer = ask(
        port, b"POST /config?service=x HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000000\r\n\r\n"
    )
    body = json.loads(answer.body)
    assert (answer.status, body["error"], body["success"]) == (413, 413, False)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n" + get("/"),
        get("/", method="OPTIONS"),
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        b"GET http://localhost/a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        get("/", "Content-Length: 0"),
        get("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="),
    ],
)
def test_an_unusual_but_unambiguous_request_is_answered(port: int, data: bytes) -> None:
    assert ask(port, data).status == 200


def test_an_answer_names_no_server_software(port: int) -> None:
    headers = ask(port, get("/")).headers
    assert "server" not in headers
    assert "date" in headers


def test_requests_sent_at_once_are_answered_in_order(port: int) -> None:
    data = b"".join(get(f"/{number}", close=False) for number in range(100)) + get("/last")
    answers = split_answers(say(port, data))
    assert [json.loads(each.body)["PATH_INFO"] for each in answers] == [f"/{n}" for n in range(100)] + [
        "/last"
    ]


def test_a_malformed_request_is_refused_after_the_good_ones_before_it_are_answered(port: int) -> None:
    post = POST + b"Content-Length: 3\r\n\r\nabc"
    answers = split_answers(
        say(port, get("/1", close=False) + post + get("/2", close=False) + b"BAD\r\n\r\n")
    )
    assert [each.status for each in answers] == [200, 200, 200, 400]


def test_a_malformed_body_does_not_take_the_place_of_the_answer_before_it(port: int) -> None:
    answers = split_answers(say(port, get("/1", close=False) + POST + CHUNKED + b"\r\nxyz\r\n"))
    assert [each.status for each in answers] == [200, 400]


def test_more_requests_at_once_than_can_wait_end_the_connection(port: int) -> None:
    answers = split_answers(say(port, get("/", close=False) * 1000))
    statuses = [each.status for each in answers]
    assert statuses == [200] * (len(statuses) - 1) + [503]


def test_a_request_split_at_every_byte_is_one_request(port: int) -> None:
    data = POST + b"X-Y: z\r\n" + CHUNKED + b"Connection: close\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n"
    with connect(port) as connection:
        for position in range(len(data)):
            connection.send(data[position : position + 1])
        (answer,) = split_answers(read_to_end(connection))
    assert json.loads(answer.body)["body"] == "abc"


def test_trailers_do_not_become_headers(port: int) -> None:
    data = (
        POST + CHUNKED + b"Connection: close\r\n\r\n3\r\nabc\r\n0\r\nIf-Match: *\r\nConfig-Message: x\r\n\r\n"
    )
    seen = json.loads(ask(port, data).body)
    assert seen["body"] == "abc"
    assert "HTTP_IF_MATCH" not in seen
    assert "HTTP_CONFIG_MESSAGE" not in seen


@pytest.mark.parametrize("endless", [b"GET /", b"GET / HTTP/1.1\r\nX", b"GET / HTTP/1.1\r\nX: "])
def test_a_head_without_end_is_refused_when_it_is_too_large(port: int, endless: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(get("/", close=False) + endless)
        for _ in range(40):
            connection.sendall(b"x" * 10_000)
        answers = split_answers(read_to_end(connection))
    assert [each.status for each in answers] == [200, 431]


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"3;x="])
def test_trailers_and_chunk_extensions_without_end_are_refused(port: int, endless: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(POST + CHUNKED + b"\r\n3\r\nabc\r\n" + endless)
        for _ in range(40):
            connection.sendall(b"x" * 10_000)
        (answer,) = split_answers(read_to_end(connection))
    assert answer.status == 431


def test_headers_spelt_with_underscores_are_dropped(port: int) -> None:
    seen = json.loads(ask(port, get("/", "If_Match: *")).body)
    assert "HTTP_IF_MATCH" not in seen


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_a_wish_for_another_protocol_is_ignored_and_the_body_kept(port: int, body: bytes) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    head = POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(body)
    answers = split_answers(say(port, head + body + get("/next")))
    seen = [json.loads(each.body) for each in answers]
    assert [(each["PATH_INFO"], each["body"]) for each in seen] == [("/", body.decode()), ("/next", "")]


def test_head_has_the_headers_of_get_and_no_body(port: int) -> None:
    got = ask(port, get("/"))
    answer = say(port, get("/", method="HEAD"))
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: %d" % (len(got.body) + 1) in answer.lower()  # HEAD is one letter longer than GET


def test_the_body_is_asked_for_only_when_it_will_be_read(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        (answer,) = split_answers(read_to_end(connection))
    assert json.loads(answer.body)["body"] == "abc"


def test_a_body_that_is_too_large_is_refused_before_it_is_asked_for(port: int) -> None:
    answer = ask(port, POST + b"Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n")
    assert answer.status == 413


def test_a_client_that_sends_on_after_a_refusal_still_gets_the_answer(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(POST + b"Content-Length: 400000\r\n\r\n")
        connection.sendall(b"x" * 400_000)
        connection.shutdown(socket.SHUT_WR)
        (answer,) = split_answers(read_to_end(connection))
    assert answer.status == 413


def assert_not_reset(connection: socket.socket) -> None:
    """Fail if the server minds that more is sent: a reset comes with the next call after it."""
    for _ in range(10):
        connection.sendall(get("/late", close=False))
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def send_until_refused(connection: socket.socket) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        connection.sendall(b"x")
        time.sleep(0.01)


@pytest.mark.parametrize("data", [get("/"), b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", b"BAD\r\n\r\n"])
def test_a_client_that_sends_on_after_the_last_answer_is_not_reset(
    port: int, echo: Echo, data: bytes
) -> None:
    with connect(port) as connection:
        connection.sendall(data)
        split_answers(read_to_end(connection))
        calls = echo.calls
        assert_not_reset(connection)
        assert echo.calls == calls


@pytest.mark.parametrize("data", [b"", get("/", close=False), b"GET / HT"])
def test_a_client_that_sends_on_after_a_time_out_is_not_reset(quick_port: int, data: bytes) -> None:
    with connect(quick_port) as connection:
        connection.sendall(data)
        read_to_end(connection)
        assert_not_reset(connection)


def test_a_client_that_stays_after_the_last_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("configsvc.edge.protocol.LINGER_S", 0.1)
    with running(Echo(), Settings()) as port, connect(port) as connection:
        connection.sendall(get("/"))
        read_to_end(connection)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_until_refused(connection)


def test_a_head_that_comes_too_slowly_is_given_up(quick_port: int) -> None:
    answer = ask(quick_port, b"GET / HTTP/1.1\r\nHost: loc")
    assert answer.status == 408


def test_a_head_gets_no_more_time_for_dribbling(quick_port: int) -> None:
    with connect(quick_port) as connection:
        connection.settimeout(0.02)
        connection.sendall(b"GET / HTTP/1.1\r\nX")
        answer = b""
        for _ in range(1000):
            try:
                connection.sendall(b"X")
                answer += connection.recv(1 << 16)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            if answer:
                break
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_too_slowly_is_given_up(quick_port: int) -> None:
    answer = ask(quick_port, POST + b"Content-Length: 3\r\n\r\na")
    assert answer.status == 408


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", get("/", close=False)])
def test_a_connection_on_which_nothing_happens_is_closed(quick_port: int, data: bytes) -> None:
    answers = split_answers(say(quick_port, data))
    assert [each.status for each in answers] == [200] * data.count(b"GET")


def test_a_connection_too_many_is_told_so() -> None:
    with running(Echo(), Settings(max_connections=2)) as port, connect(port) as first, connect(port):
        first.sendall(get("/", close=False))
        assert first.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        answer = ask(port, b"")
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"


def test_a_thousand_idle_connections_do_not_keep_a_request_waiting(port: int) -> None:
    count = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    idle = [connect(port) for _ in range(count)]
    try:
        for number, connection in enumerate(idle):
            connection.sendall((b"", b"GET / HT", POST + b"Content-Length: 3\r\n\r\na")[number % 3])
        assert ask(port, get("/")).status == 200
    finally:
        for connection in idle:
            connection.close()
