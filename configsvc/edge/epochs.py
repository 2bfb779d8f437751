"""What was found at a snapshot, remembered without the snapshot: each holds whole trees in memory."""

from __future__ import annotations

from configsvc.store.base import Snapshot

NEVER = 0
"""The epoch of no snapshot."""


class Epochs:
    """Numbers the newest snapshots as they are met, from 1; only the last one is held."""

    def __init__(self) -> None:
        self.number = NEVER
        """Of the snapshot met last."""
        self.snapshot: Snapshot | None = None

    def of(self, snapshot: Snapshot) -> int:
        """Return the number of the newest snapshot: another one than before when it is another snapshot."""
        if snapshot is not self.snapshot:
            self.snapshot = snapshot
            self.number += 1
        return self.number
