"""How slowly a body may come, by a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from configsvc.edge.asgi_types import Message
from configsvc.edge.pace import Pace


class Sender:
    """Sends parts of a body, each after a while."""

    def __init__(self, *parts: tuple[float, int]) -> None:
        self.now_s = 0.0
        self._parts: Iterator[tuple[float, int]] = iter(parts)

    async def receive(self) -> Message:
        after_s, count = next(self._parts)
        self.now_s += after_s
        return {"type": "http.request", "body": b"x" * count, "more_body": True}

    def parts_taken(self, most: int) -> int:
        """Return how many of `most` parts are taken at 100 bytes a second and with 10 s of rest."""

        async def take() -> int:
            pace = Pace(10.0, bytes_per_s=100, clock=lambda: self.now_s)
            for taken in range(most):
                try:
                    await pace.next(self.receive)
                except TimeoutError:
                    return taken
            return most

        return asyncio.run(take())


def test_a_byte_now_and_then_buys_next_to_no_time() -> None:
    assert Sender(*[(3.0, 1)] * 100).parts_taken(100) == 3


def test_what_was_sent_before_buys_no_long_silence() -> None:
    assert Sender((0.1, 1 << 20), (10.1, 1)).parts_taken(2) == 1


def test_a_body_that_comes_fast_enough_goes_on_for_ever() -> None:
    assert Sender(*[(9.9, 1000)] * 1000).parts_taken(1000) == 1000


def test_a_sender_that_falls_silent_is_given_up() -> None:
    async def silent() -> Message:
        await asyncio.Event().wait()
        return {}

    with pytest.raises(TimeoutError, match="too slowly"):
        asyncio.run(Pace(0.01).next(silent))
