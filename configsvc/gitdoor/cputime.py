"""How much of the processor a git process, and each that it starts, may use: more for more input.

A pack of a few kilobytes can ask for hours of work: deltas on a large object, each of which has to be
put together and hashed.  Honest packs cost about what they weigh.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import resource
import signal
from collections.abc import Iterator
from typing import NamedTuple

_DIED = f"died of signal {signal.SIGXCPU.value}"
_ENDED = re.compile(rf"{_DIED}\b")


class CpuAllowance(NamedTuple):
    """Seconds of the processor.

    Args:
        base_s: Whatever there is to do.
        per_mib_s: More, for each MiB of input.
    """

    base_s: float
    per_mib_s: float

    def seconds(self, input_bytes: int) -> int:
        """Return how many seconds there are for so much input."""
        return math.ceil(self.base_s + self.per_mib_s * (input_bytes / (1 << 20)))


class CpuLimit:
    """Holds a process group to an allowance (RLIMIT_CPU, setrlimit(2)); its leader has just begun."""

    def __init__(self, group: int, allowance: CpuAllowance) -> None:
        self.seconds = 0
        """What each process of the group may use now."""
        self._group = group
        self._allowance = allowance
        self._received = 0
        _limit(group, resource.RLIMIT_CORE, 0)  # the signal that ends it would leave its memory on disk
        self.count(0)

    def count(self, received: int) -> None:
        """Allow what another `received` bytes of input bring."""
        self._received += received
        seconds = self._allowance.seconds(self._received)
        if seconds == self.seconds:
            return
        self.seconds = seconds
        # The leader first: what it starts from now on has the limit from it.
        _limit(self._group, resource.RLIMIT_CPU, seconds)
        for pid in _members(self._group):
            _limit(pid, resource.RLIMIT_CPU, seconds)

    def find_reason(self, last_words: str) -> str:
        """Return why git failed, where it says that this ended one of its processes; else nothing."""
        if not _ENDED.search(last_words):
            return ""
        return (
            f"push: its objects take more than {self.seconds} s of the processor to unpack "
            "(expected: fewer or smaller deltas, or several pushes)"
        )


def _limit(pid: int, kind: int, value: int) -> None:
    """Set the soft limit of a process; no harm when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        hard = resource.prlimit(pid, kind)[1]
        resource.prlimit(pid, kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _members(group: int) -> Iterator[int]:
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.getpgid(int(name)) == group:
                yield int(name)
