"""Forked processes: threads and connections stay with the parent, so clients begin anew in the child."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """What has to know of a fork."""

    def renew(self) -> None:
        """Let go of what belongs to the parent, in the child."""


_all: weakref.WeakSet[Forked] = weakref.WeakSet()


def renew_after_fork(one: Forked) -> None:
    """Have `one` renewed in each child of this process, for as long as it lives."""
    _all.add(one)


def _renew_all() -> None:
    for one in list(_all):
        one.renew()


os.register_at_fork(after_in_child=_renew_all)
