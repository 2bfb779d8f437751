"""Threads for requests, a pool for each kind, so that no kind can take those of another.

What waits for a thread is bounded: beyond that a request is refused at once, when it costs nothing
yet, instead of being answered late.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from configsvc.api.problems import problem_of
from configsvc.core.errors import QueueFull, Unavailable
from configsvc.edge.refusals import Refused
from configsvc.service.turns import Turns

Step = TypeVar("Step")


class Pool:
    """Some threads, and a bound on what waits for them.  Thread-safe.

    Args:
        kind: What is answered here, such as `reads`.
        most_waiting: Requests that may wait for a thread.
        refusal: What one too many is told, as an error of this class.
        turns: At computing; None: each thread computes when it likes.
    """

    def __init__(
        self,
        kind: str,
        threads: int,
        most_waiting: int,
        refusal: type[Unavailable] = Unavailable,
        *,
        turns: Turns | None = None,
    ) -> None:
        self.kind = kind
        self.refused = 0
        """How many requests were too many."""
        self._threads = threads
        self._most_waiting = most_waiting
        self._problem = problem_of(
            refusal(f"{kind}: {most_waiting} wait already (expected: fewer; try again)")
        )
        self._turns = turns
        self._pending = 0
        self._lock = threading.Lock()  # guards the line above
        self._executor = ThreadPoolExecutor(threads, f"wsgi-{kind}")

    @property
    def busy(self) -> int:
        """How many threads work."""
        return min(self._pending, self._threads)

    @property
    def waiting(self) -> int:
        """How many steps wait for a thread."""
        return max(0, self._pending - self._threads)

    def check_room(self, *, is_read: bool) -> None:
        """Raise `Refused` where as many wait as may.

        Args:
            is_read: See `Refused`.
        """
        if self._pending >= self._threads + self._most_waiting:
            self.refused += 1
            raise Refused(self._problem, is_read=is_read)

    def submit(self, step: Callable[[], Step]) -> Future[Step]:
        """Have `step` run in a thread; never refused, since what has begun is to be ended."""
        with self._lock:
            self._pending += 1
        try:
            running = self._executor.submit(self._in_turn, step)
        except BaseException:
            self._leave(None)
            raise
        running.add_done_callback(self._leave)
        return running

    def close(self) -> None:
        """Start nothing more; threads under way end by themselves."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _in_turn(self, step: Callable[[], Step]) -> Step:
        with contextlib.nullcontext() if self._turns is None else self._turns.taken():
            return step()

    def _leave(self, _: object) -> None:
        with self._lock:
            self._pending -= 1


def write_pool(threads: int, most_waiting: int, turns: Turns | None = None) -> Pool:
    """Return the pool of what changes something: the queue in front of the store's writer."""
    return Pool("writes", threads, most_waiting, QueueFull, turns=turns)
