"""Waiting for what another thread does."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S = 20.0


def eventually(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds; fail when it does not in time."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)
