from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from configsvc.edge.wsgi_call import WsgiCall

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GET: dict[str, object] = {"REQUEST_METHOD": "GET"}


class Answering:
    """An application with this answer, which knows whether it was closed."""

    def __init__(self, chunks: Iterable[bytes], *headers: tuple[str, str]) -> None:
        self.chunks = chunks
        self.headers = list(headers)
        self.closed = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", self.headers)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


def drain(call: WsgiCall) -> list[bytes]:
    parts = [call.start()]
    while not call.is_done:
        parts.append(call.more())
    return parts


def test_an_answer_of_stated_length_is_done_with_its_last_byte() -> None:
    app = Answering([b"abc"], ("Content-Length", "3"))
    call = WsgiCall(app, GET)
    assert (call.start(), call.is_done, call.status, app.closed) == (b"abc", True, 200, 1)


def test_an_answer_of_unknown_length_comes_chunk_by_chunk() -> None:
    app = Answering([b"", b"a", b"", b"b"])
    assert drain(WsgiCall(app, GET)) == [b"a", b"b", b""]
    assert app.closed == 1


def test_an_answer_to_head_is_done_at_once() -> None:
    app = Answering([], ("Content-Length", "3"))
    call = WsgiCall(app, {"REQUEST_METHOD": "HEAD"})
    assert (call.start(), call.is_done, app.closed) == (b"", True, 1)


def test_a_call_that_is_left_is_closed_once() -> None:
    app = Answering([b"a", b"b"])
    call = WsgiCall(app, GET)
    call.start()
    call.close()
    call.close()
    assert (app.closed, call.is_done) == (1, True)


def test_a_call_that_never_started_can_be_closed() -> None:
    WsgiCall(Answering([]), GET).close()


def failing(*before: bytes) -> Iterator[bytes]:
    yield from before
    raise OSError("trouble")


def test_an_answer_that_fails_is_closed() -> None:
    app = Answering(failing(b"a"))
    call = WsgiCall(app, GET)
    call.start()
    with pytest.raises(OSError, match="trouble"):
        call.more()
    assert app.closed == 1


def test_an_application_without_start_response_is_refused() -> None:
    with pytest.raises(RuntimeError, match="start_response"):
        WsgiCall(lambda environ, start_response: [b"a"], GET).start()


def test_what_is_written_comes_before_what_is_returned() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write: Callable[[bytes], object] = start_response("200 OK", [])
        write(b"a")
        write(b"b")
        return [b"c"]

    assert drain(WsgiCall(app, GET)) == [b"a", b"b", b"c", b""]


def test_headers_may_be_replaced_until_the_answer_begins() -> None:
    def produce(start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError("trouble")
        except ValueError:
            start_response("500 Trouble", [], sys.exc_info())
        yield b"a"
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("500 Trouble", [], sys.exc_info())

    call = WsgiCall(lambda environ, start_response: produce(start_response), GET)
    assert (call.start(), call.status) == (b"a", 500)
    with pytest.raises(ValueError, match="too late"):
        call.more()


def test_all_steps_share_one_context_in_whatever_thread() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    def produce(start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        variable.set("set")
        yield b"a"
        yield variable.get().encode()

    call = WsgiCall(lambda environ, start_response: produce(start_response), GET)
    parts = [call.start()]
    thread = threading.Thread(target=lambda: parts.append(call.more()))
    thread.start()
    thread.join()
    assert parts == [b"a", b"set"]
    assert variable.get() == "unset"
