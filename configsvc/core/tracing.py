"""Telling a tracer, if there is one, where the time of a request goes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from configsvc.core.measures import BatchReport


class Tracer(Protocol):
    """Is told of parts of the work.  Thread-safe."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """Return a block that is part of what this thread does for its request."""

    def mark(self) -> object:
        """Return what this thread's request is known by, for `BatchReport.marks`; None for nothing."""

    def note_batch(self, report: BatchReport) -> None:
        """Tell of a batch that has ended, and of its steps."""


class Untraced:
    """Tells nobody."""

    _nothing = nullcontext()

    def span(self, name: str) -> AbstractContextManager[object]:
        """Return a block of which nobody is told."""
        return self._nothing

    def mark(self) -> object:
        """Return None."""
        return None

    def note_batch(self, report: BatchReport) -> None:
        """Tell nobody."""


UNTRACED = Untraced()
