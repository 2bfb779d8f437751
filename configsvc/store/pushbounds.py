"""How much one push may ask of the server: counts, sizes, depth and time."""

from __future__ import annotations

import time
from collections.abc import Callable

from configsvc.core.errors import PushRefused

MAX_OBJECTS = 100_000
MAX_COMMITS = 2_000
"""Most commits that one push adds to `main`."""
MAX_CHANGES = 5_000
"""Most files that one commit on `main` changes."""
MAX_TOTAL_CHANGES = 20_000
MAX_TREE_ENTRIES = 2_000_000
"""Most names in folders that are looked at."""
MAX_NAMES = 200_000
"""Most different names among them."""
MAX_DEPTH = 32
MAX_BLOB_BYTES = 32 << 20
MAX_TREE_BYTES = 8 << 20
MAX_COMMIT_BYTES = 64 << 10
MAX_TAG_BYTES = 64 << 10
MAX_TOTAL_BYTES = 1 << 30
JUDGING_S = 60.0
JUDGING_CPU_S = 20.0
"""Most seconds of the processor that judging one push takes; 2,000 documents of 20 lines take 1.5 s."""
MAX_REFS = 1_000
MAX_BRANCHES_EACH = 100
"""Most branches of one principal that is no admin; with its tags, half of all there may be."""
MAX_TAGS_EACH = 400
MAX_CLOCK_LEAD_S = 86_400
"""How far in the future a pushed commit may say it was made, in seconds."""

MAX_BYTES = {
    "blob": MAX_BLOB_BYTES,
    "tree": MAX_TREE_BYTES,
    "commit": MAX_COMMIT_BYTES,
    "tag": MAX_TAG_BYTES,
}


class Budget:
    """What one push has used up so far; whoever uses more is stopped by `PushRefused`.

    Used by the thread that made it, since that is whose work is counted.

    Args:
        seconds: Time from now that judging it may take.
        cpu_s: The same of the processor.
    """

    def __init__(
        self,
        *,
        seconds: float = JUDGING_S,
        cpu_s: float = JUDGING_CPU_S,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._ends_at = clock() + seconds
        self._cpu_s = cpu_s
        self._cpu_clock = cpu_clock
        self._cpu_ends_at = cpu_clock() + cpu_s
        self._entries = 0
        self._changes = 0

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return max(0.01, self._ends_at - self._clock())

    def check_time(self) -> None:
        """Raise `PushRefused` when the time is up."""
        if self._clock() > self._ends_at:
            raise PushRefused(f"push: not judged after {self._seconds:g} s (expected: a smaller push)")
        if self._cpu_clock() > self._cpu_ends_at:
            raise PushRefused(
                f"push: its documents take more than {self._cpu_s:g} s of the processor to judge "
                "(expected: several smaller pushes)"
            )

    def spend_entries(self, count: int) -> None:
        """Count names of folders that are looked at."""
        self._entries += count
        if self._entries > MAX_TREE_ENTRIES:
            raise PushRefused(f"push: more than {MAX_TREE_ENTRIES} names in its folders (expected: fewer)")
        self.check_time()

    def spend_changes(self, count: int) -> None:
        """Count files that one commit changes."""
        self._changes += count
        if count > MAX_CHANGES:
            raise PushRefused(f"push: a commit changes {count} files (expected: <= {MAX_CHANGES})")
        if self._changes > MAX_TOTAL_CHANGES:
            raise PushRefused(f"push: changes more than {MAX_TOTAL_CHANGES} files (expected: several pushes)")
        self.check_time()
