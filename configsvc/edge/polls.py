"""`GET /api/v1/configs/{service}?wait=` on the event loop.

The read itself is asked of the application, without the wait: now, and again after each change of the
service or of principals, for as long as the answer is 304.  So it is that of the other layers, access and
all; this only keeps the client waiting without a thread.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

from configsvc.api.problems import problem_of
from configsvc.api.v1.paths import PREFIX
from configsvc.api.v1.waiting import MAX_WAIT_S, jittered
from configsvc.core.errors import Unavailable
from configsvc.core.names import is_service
from configsvc.edge.asgi_types import AsgiApp, Message, Receive, Scope, Send
from configsvc.edge.hot_requests import target_of
from configsvc.edge.loophub import LoopHub, until_gone
from configsvc.edge.refusals import Refused
from configsvc.watch.interest import Interest

HELD = "configsvc.held"
"""Key of the scope of a look: its `Held`."""

_FOLDER = f"{PREFIX}/configs/"
_WAIT = re.compile(rb"wait=([1-9][0-9]?)", re.ASCII)
_BODY_HEADERS = (b"content-length", b"transfer-encoding")


class Polls:
    """Answers reads that wait; anything unusual about one is left to the application."""

    def __init__(self, hub: LoopHub) -> None:
        self._hub = hub
        self.start = hub.start
        self.drain = hub.drain

    def find(self, scope: Scope) -> AsgiApp | None:
        """Return what answers a read that has `wait` as its only parameter; None for anything else."""
        match = _WAIT.fullmatch(scope["query_string"])
        if match is None or scope["method"] != "GET" or int(match[1]) > MAX_WAIT_S:
            return None
        service = scope["path"].removeprefix(_FOLDER)
        if not scope["path"].startswith(_FOLDER) or not is_service(service):
            return None
        sent = dict(scope["headers"])
        if sent.get(b"if-none-match", b"*").strip() == b"*" or any(name in sent for name in _BODY_HEADERS):
            return None
        seconds = int(match[1])

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await self._answer(service, seconds, scope, receive, send)

        return answer

    async def _answer(self, service: str, seconds: int, scope: Scope, receive: Receive, send: Send) -> None:
        wake = asyncio.Event()
        started_s = time.perf_counter()
        is_over = False

        def end() -> None:  # a flag, since a timer may come a moment before the clock says so
            nonlocal is_over
            is_over = True
            wake.set()

        with self._hub.index.registered(Interest(frozenset({service})), wake.set):
            gone = asyncio.ensure_future(until_gone(receive, wake))
            timer = asyncio.get_running_loop().call_later(jittered(seconds), end)
            try:
                while not gone.done():
                    wake.clear()
                    is_last = is_over or self._hub.is_draining
                    held = Held(
                        send,
                        lambda status: is_last or status != 304,  # noqa: B023
                        target=target_of(scope),
                        started_s=started_s,
                    )
                    asked = {**scope, "query_string": b"", HELD: held}
                    await scope["app"](asked, _no_body(gone), held.send)
                    if held.is_sent:
                        return
                    self._check_room()
                    await wake.wait()
            finally:
                timer.cancel()
                gone.cancel()

    def _check_room(self) -> None:
        if self._hub.waiting > self._hub.most:
            error = Unavailable(f"waits: {self._hub.most} clients wait already (expected: fewer; try again)")
            raise Refused(problem_of(error))


class Held:
    """Sends an answer on if `passes` takes its status, else drops it.

    Args:
        target: Of the read that waits, with the wait.
        started_s: When it began to, by `time.perf_counter`.
    """

    def __init__(self, send: Send, passes: Callable[[int], bool], *, target: bytes, started_s: float) -> None:
        self.is_sent = False
        self.target = target
        self.started_s = started_s
        self._send = send
        self._passes = passes

    async def send(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            self.is_sent = self._passes(message["status"])
        if self.is_sent:
            await self._send(message)


def _no_body(gone: asyncio.Future[None]) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.wait([gone])
            return {"type": "http.disconnect"}
        return messages.pop()

    return receive
