"""Waiting for what a thread does, without a guess of how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 20.0


def eventually(is_so: Callable[[], object]) -> None:
    """Return once `is_so` says yes; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.002)
