"""What is measured on the way, in the simplest form that can be told of later."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds for durations, in seconds."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Upper bounds for numbers of things."""
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
"""Methods that are told by their names; of any other it is told only that it is another one."""


class Spread:
    """How many values fell below each bound.  One thread writes; another may read at any time.

    Args:
        bounds: Upper bounds, rising; values above the last one are counted too.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class BatchReport(NamedTuple):
    """What became of the writes that were taken together.

    Args:
        ended_s: When they were answered, seconds since the epoch.
        queued_s: How long each one had waited until they were taken.
        steps: Names of the steps in order, and how long each one took.
        accepted: How many landed, or changed nothing.
        refused: How many did not.
        marks: What a tracer knows the requests by; see `core.tracing`.
    """

    ended_s: float
    queued_s: tuple[float, ...]
    steps: tuple[tuple[str, float], ...]
    accepted: int
    refused: int
    marks: tuple[object, ...] = ()
