"""Who answers requests in front of the bridge, and what becomes of a request that goes wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Protocol

from configsvc.api.problems import Problem, http_problem
from configsvc.edge.asgi_types import AsgiApp, Message, Scope, Send, raw_headers
from configsvc.edge.refusals import Refusals, Refused
from configsvc.edge.request_body import ClientGone

CLIENT_GONE_STATUS = 499
"""Logged when nobody was left to answer (nginx's number for it)."""

_log = logging.getLogger("configsvc.edge")


class Answerer(Protocol):
    """Answers some requests before they get to the bridge; called on the event loop only."""

    def start(self) -> None:
        """Begin: the loop runs, and no connection is accepted yet."""

    def find(self, scope: Scope) -> AsgiApp | None:
        """Return what answers a request; None, and quickly, to leave it to those behind."""

    def drain(self) -> None:
        """End what waits for something: the server stops, and sends what is under way for a while."""


class Answering:
    """The answer to one request: when it goes wrong, the client is told as by the application.

    Args:
        send: Where what goes through `self.send` goes.
    """

    def __init__(self, scope: Scope, send: Send, refusals: Refusals) -> None:
        self.is_started = False
        self._scope = scope
        self._send = send
        self._refusals = refusals
        self._started_s = time.perf_counter()

    async def send(self, message: Message) -> None:
        """Send one message of the answer."""
        if message["type"] == "http.response.start":
            self.is_started = True
        await self._send(message)

    async def run(self, answer: Coroutine[None, None, None]) -> None:
        """Run `answer`; nothing that goes wrong with it gets beyond here."""
        try:
            await answer
        except Refused as refused:
            await self._refuse(refused.problem, is_read=refused.is_read)
        except ClientGone:
            self._refusals.log(self._scope, CLIENT_GONE_STATUS, self._started_s)
        except asyncio.CancelledError:
            # The stop of the server waited long enough.  The task ends here, so its cancellation does too.
            await self._refuse(http_problem(503, "the server is shutting down"))
        except Exception:  # noqa: BLE001 - the edge of a request; logged
            _log.exception("%s %s failed", self._scope["method"], ascii(self._scope["path"]))
            await self._refuse(http_problem(500))

    async def _refuse(self, problem: Problem, *, is_read: bool = False) -> None:
        """Answer in the application's place, unless it has begun to: then the server cuts the connection."""
        if self.is_started:
            return
        rendered = self._refusals.render(problem, self._scope["path"])
        # Closed where the rest of the body is not read.
        head = [*raw_headers(rendered.headers), *([] if is_read else [(b"connection", b"close")])]
        await self.send({"type": "http.response.start", "status": rendered.status, "headers": head})
        await self.send({"type": "http.response.body", "body": rendered.body})
        self._refusals.log(self._scope, rendered.status, self._started_s)
