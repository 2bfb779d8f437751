"""How long the steps of a batch take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from configsvc.core.measures import BatchReport


class StepTimes:
    """Hears of each step of a batch as it ends, and tells of all of them.  Used by the writer's thread only.

    Args:
        on_step: Told of each step in turn.
        on_batch: Told of each batch.
        mark: Asked for what a write is known by, by the thread that submits it.
    """

    def __init__(
        self,
        on_step: Callable[[str], None] = lambda step: None,
        on_batch: Callable[[BatchReport], None] = lambda report: None,
        mark: Callable[[], object] = lambda: None,
    ) -> None:
        self.mark = mark
        self._on_step = on_step
        self._on_batch = on_batch
        self._queued_s: tuple[float, ...] = ()
        self._marks: tuple[object, ...] = ()
        self._steps: list[tuple[str, float]] = []
        self._last_s = 0.0

    def __call__(self, step: str) -> None:
        """Note that a step has ended."""
        now_s = time.perf_counter()
        self._steps.append((step, now_s - self._last_s))
        self._on_step(step)
        self._last_s = time.perf_counter()  # what was told to others is no part of the next one

    def begin(self, queued_at_s: Sequence[float], marks: Sequence[object] = ()) -> None:
        """Begin a batch.

        Args:
            queued_at_s: When its writes came, by `time.perf_counter`.
            marks: What `mark` has answered for them.
        """
        self._marks = tuple(marks)
        self._last_s = time.perf_counter()
        self._queued_s = tuple(max(0.0, self._last_s - each) for each in queued_at_s)
        self._steps.clear()

    def end(self, accepted: int, refused: int) -> None:
        """Tell of the batch."""
        steps = tuple(self._steps)
        self._on_batch(BatchReport(time.time(), self._queued_s, steps, accepted, refused, self._marks))
