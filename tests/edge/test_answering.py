"""Answerers in front of the bridge: who is asked, in which order, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from configsvc.api.problems import http_problem
from configsvc.edge.asgi_types import AsgiApp, Message, Receive, Scope, Send
from configsvc.edge.refusals import Refused
from configsvc.settings import Settings
from tests.edge.running import PATIENCE_S, ask, connect, get, read_to_end, running, split_answers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"flask"]


@dataclass
class Taking:
    """Takes the requests for one path, and notes what it is told."""

    path: str
    answer: AsgiApp
    told: list[str] = field(default_factory=list)
    on_drain: Callable[[], None] = lambda: None

    def start(self) -> None:
        asyncio.get_running_loop()
        self.told.append("start")

    def find(self, scope: Scope) -> AsgiApp | None:
        self.told.append(scope["path"])
        return self.answer if scope["path"] == self.path else None

    def drain(self) -> None:
        self.told.append("drain")
        self.on_drain()


def saying(text: bytes) -> AsgiApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start_of(len(text)))
        await send({"type": "http.response.body", "body": text})

    return answer


def start_of(length: int) -> Message:
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", str(length).encode())],
    }


def failing(with_: BaseException, *, after_head: bool = False) -> AsgiApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if after_head:
            await send(start_of(3))
        raise with_

    return answer


def test_the_first_answerer_that_takes_a_request_answers_it() -> None:
    answerers = [Taking("/a", saying(b"a")), Taking("/b", saying(b"b")), Taking("/b", saying(b"never"))]

    with running(application, Settings(), answerers=answerers) as port:
        bodies = [ask(port, get(path)).body for path in ("/a", "/b", "/c")]

    assert bodies == [b"a", b"b", b"flask"]
    assert answerers[2].told == ["start", "/c", "drain"]


def test_a_stop_lets_answerers_end_what_waits() -> None:
    is_draining = asyncio.Event()
    is_waiting = threading.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        is_waiting.set()
        await is_draining.wait()
        await saying(b"drained")(scope, receive, send)

    answerer = Taking("/wait", wait, on_drain=is_draining.set)
    with running(application, Settings(), answerers=[answerer]) as port:
        connection = connect(port)
        connection.sendall(get("/wait", close=False))
        assert is_waiting.wait(PATIENCE_S)
    with connection:
        (answer,) = split_answers(read_to_end(connection))

    assert answer.body == b"drained"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused(http_problem(503, "too many")), 503),
        (RuntimeError("broken"), 500),
    ],
)
def test_an_answerer_that_fails_is_answered_for(error: Exception, status: int) -> None:
    with running(application, Settings(), answerers=[Taking("/a", failing(error))]) as port:
        answer = ask(port, get("/a"))

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.headers["connection"] == "close"


def test_an_answer_that_fails_half_way_is_cut_off() -> None:
    answerers = [Taking("/a", failing(RuntimeError("broken"), after_head=True))]

    with running(application, Settings(), answerers=answerers) as port, connect(port) as connection:
        connection.sendall(get("/a"))
        data = read_to_end(connection)

    assert data.partition(b"\r\n\r\n")[2] == b""


def test_an_answerer_that_fails_to_decide_is_answered_for() -> None:
    class Broken(Taking):
        def find(self, scope: Scope) -> AsgiApp | None:
            raise RuntimeError("broken")

    with running(application, Settings(), answerers=[Broken("/a", saying(b"a"))]) as port:
        assert ask(port, get("/a")).status == 500
