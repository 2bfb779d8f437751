"""Request bodies: read whole before a thread is taken, or pulled by the thread as it reads.

A body read whole costs its client's slowness nothing but memory, of which
there is one budget for all.  A streamed body has no limit here: the
application that asked for it counts.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from configsvc.api.problems import http_problem, problem_of
from configsvc.core.errors import RateExceeded
from configsvc.edge.asgi_types import RawHeaders, Receive
from configsvc.edge.pace import Pace
from configsvc.edge.refusals import Refused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


MAX_SILENCE_S = 10.0
"""How long nothing need come of a body that is held in memory, or too little."""


class ClientGone(ConnectionError):
    """The client hung up."""


class BodyBudget:
    """How many bytes of bodies may be held at one time, by all and by one; used by the event loop only.

    Args:
        max_bytes: Most bytes in all.
        share_bytes: Most bytes of one sender.
    """

    def __init__(self, max_bytes: int, share_bytes: int) -> None:
        self.used = 0
        self._max_bytes = max_bytes
        self._share_bytes = share_bytes
        self._by_sender: Counter[str] = Counter()

    def take(self, count: int, sender: str) -> None:
        """Count `count` more bytes that are held for `sender`.

        Raises:
            Refused: They may not be, and are not counted.
        """
        if self._by_sender[sender] + count > self._share_bytes:
            message = (
                f"bodies: {self._share_bytes} bytes of one client are under way (expected: fewer; try again)"
            )
            raise Refused(problem_of(RateExceeded(message)))
        if self.used + count > self._max_bytes:
            raise Refused(http_problem(503, "body: the server holds too many request bodies just now"))
        self.used += count
        self._by_sender[sender] += count

    def give_back(self, count: int, sender: str) -> None:
        """Take `count` bytes off again."""
        self.used -= count
        self._by_sender[sender] -= count
        if not self._by_sender[sender]:
            del self._by_sender[sender]


@dataclass(slots=True)
class WholeBody:
    """A body that is read to its end, within limits, on the event loop.

    Args:
        sender: Whose share of the budget it is held in; see `Senders.admit`.
        max_bytes: Largest body.
        timeout_s: Seconds from now that all of it may take.
    """

    budget: BodyBudget
    sender: str
    max_bytes: int
    timeout_s: float
    held_bytes: int = 0

    async def read(self, headers: RawHeaders, receive: Receive) -> bytes:
        """Return the body.

        Raises:
            Refused: It is too large, too slow, or one too many.
            ClientGone: The client hung up before its end.
        """
        stated = stated_length(headers)
        if stated == 0:
            return b""
        if stated is not None and stated > self.max_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        pace = Pace(min(MAX_SILENCE_S, self.timeout_s))
        try:
            async with asyncio.timeout(self.timeout_s):
                while await self._read_part(pace, receive, parts):
                    pass
        except TimeoutError as error:
            message = str(error) or f"body: not complete after {self.timeout_s:g} s"
            raise Refused(http_problem(408, message)) from None
        return b"".join(parts)

    def release(self) -> None:
        """Give the bytes back to the budget."""
        self.budget.give_back(self.held_bytes, self.sender)
        self.held_bytes = 0

    async def _read_part(self, pace: Pace, receive: Receive, parts: list[bytes]) -> bool:
        message = await pace.next(receive)
        if message["type"] == "http.disconnect":
            raise ClientGone("client hung up in the request body")
        part: bytes = message.get("body", b"")
        self.budget.take(len(part), self.sender)
        self.held_bytes += len(part)
        if self.held_bytes > self.max_bytes:
            raise self._too_large()
        parts.append(part)
        return bool(message.get("more_body", False))

    def _too_large(self) -> Refused:
        return Refused(http_problem(413, f"body: larger than {self.max_bytes} bytes"))


def stated_length(headers: RawHeaders) -> int | None:
    """Return how long the body is by its headers; None when only its end will tell."""
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value)
    return length


class StreamedBody(io.RawIOBase):
    """A body that the application's thread pulls through the event loop as it reads it.

    Nothing piles up: what the application does not read stays with the client, but for
    the first bytes, which are there before a thread is taken.

    Args:
        pace: How slowly it may come; time in which the application does not read counts for nothing.
        budget: What the first bytes are held in.
        sender: See `WholeBody`.
    """

    def __init__(
        self,
        receive: Receive,
        loop: asyncio.AbstractEventLoop,
        pace: Pace,
        budget: BodyBudget,
        sender: str,
    ) -> None:
        self.is_complete = False
        self._receive = receive
        self._loop = loop
        self._pace = pace
        self._budget = budget
        self._sender = sender
        self._held_bytes = 0
        self._buffer = memoryview(b"")
        self._pull_under_way: Future[None] | None = None
        self._is_left = False

    def readable(self) -> bool:
        """Return True."""
        return True

    async def begin(self, count: int) -> None:
        """Return when the first `count` bytes are there, or all; called by the event loop.

        Raises:
            Refused: They come too slowly, or are too many to be held.
            ClientGone: The client hung up.
        """
        parts: list[memoryview] = []
        while not self.is_complete and self._held_bytes < count:
            try:
                await self._pull()
            except TimeoutError as error:
                raise Refused(http_problem(408, str(error))) from None
            self._budget.take(len(self._buffer), self._sender)
            self._held_bytes += len(self._buffer)
            parts.append(self._buffer)
        self._buffer = memoryview(b"".join(parts))

    def readinto(self, target: WriteableBuffer, /) -> int:
        """Fill `target` with the next bytes; 0 at the end.

        Raises:
            ClientGone: The client hung up, or the request was given up.
            TimeoutError: It comes too slowly.
        """
        while not self._buffer and not self.is_complete:
            self._run(self._pull())
        view = memoryview(target).cast("B")
        count = min(len(view), len(self._buffer))
        view[:count], self._buffer = self._buffer[:count], self._buffer[count:]
        return count

    def leave(self) -> None:
        """Make a read that waits, and all later ones, fail; called by the event loop."""
        self._is_left = True
        self._budget.give_back(self._held_bytes, self._sender)
        self._held_bytes = 0
        if self._pull_under_way is not None:
            self._pull_under_way.cancel()

    def _run(self, pull: Coroutine[Any, Any, None]) -> None:
        future = asyncio.run_coroutine_threadsafe(pull, self._loop)
        self._pull_under_way = future
        if self._is_left:
            future.cancel()
        try:
            future.result()
        except asyncio.CancelledError:
            raise ClientGone("the request was given up") from None

    async def _pull(self) -> None:
        message = await self._pace.next(self._receive)
        if message["type"] == "http.disconnect":
            raise ClientGone("client hung up in the request body")
        self._buffer = memoryview(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)
