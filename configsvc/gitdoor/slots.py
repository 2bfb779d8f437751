"""How many git processes run at one time, and how many of them for one principal."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from configsvc.access.decide import Admission
from configsvc.core.errors import GitBusy


class Slots:
    """A slot for each process; one principal has half of them at most.  Thread-safe.

    Args:
        count: Slots in all, > 0.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._share = (count + 1) // 2
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()  # guards the line above

    @contextlib.contextmanager
    def taken(self, admission: Admission) -> Iterator[None]:
        """Hold a slot until the block ends.

        Raises:
            GitBusy: There is none, at once, or none for this principal.
        """
        name = admission.principal.name
        # Where there are no principals all are one.
        share = self._share if admission.token_sha256 else self._count
        with self._lock:
            if self._taken.total() >= self._count:
                raise GitBusy(f"git: {self._count} clones and pushes are under way (expected: fewer)")
            if self._taken[name] >= share:
                raise GitBusy(f"git: {share} clones and pushes of {name} are under way (expected: fewer)")
            self._taken[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[name] -= 1
                if not self._taken[name]:
                    del self._taken[name]
