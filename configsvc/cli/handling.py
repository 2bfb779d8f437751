"""Signals that are handled otherwise for a while."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType


@contextlib.contextmanager
def handled(
    signals: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Have `handler` called at each of these signals, until the block ends."""
    before = {each: signal.signal(each, handler) for each in signals}
    try:
        yield
    finally:
        for each, was in before.items():
            signal.signal(each, was)


def heeded(signals: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Return those that are not ignored: what was to be ignored stays so, for programs that are run too."""
    return [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
