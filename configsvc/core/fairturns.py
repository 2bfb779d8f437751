"""Turns at something that few may do at one time, handed out fairly between those who ask.

Of those who wait the next turn goes to whoever has the fewest, then to who came first.  What waits
is bounded; where no more may wait, one who asks for little takes the place of who asks for most.
So one who asks for much is refused, and others wait for no longer than the turn that is under way.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from configsvc.core.errors import QueueFull


class FairTurns:
    """Some turns.  Thread-safe.

    Args:
        name: What messages call it, such as `diffs`.
        most: Turns at one time.
        most_waiting: Most that wait for one.
        patience_s: Longest wait, in seconds.
        most_each: Most turns of one who asks, those that wait included; None: as there is room for.
    """

    def __init__(
        self, name: str, *, most: int, most_waiting: int, patience_s: float, most_each: int | None = None
    ) -> None:
        self._name = name
        self._most = most
        self._most_waiting = most_waiting
        self._most_each = most_each
        self._patience_s = patience_s
        self._changed = threading.Condition()  # guards what follows
        self._taken: Counter[str | None] = Counter()
        self._line: list[_Waiting] = []
        self._closed = False

    @contextmanager
    def taken(self, who: str | None) -> Iterator[None]:
        """Have a turn within this block; see `take`."""
        self.take(who)
        try:
            yield
        finally:
            self.give_back(who)

    def take(self, who: str | None) -> None:
        """Return with a turn, or when this was closed.

        Args:
            who: Asks; None: nobody in particular, whose turns are not counted together.

        Raises:
            QueueFull: Too many wait, or too many of this one; or it took too long.
        """
        with self._changed:
            self._check_room(who)
            waiting = _Waiting(who)
            self._line.append(waiting)
            try:
                may_go = self._changed.wait_for(lambda: self._may_go(waiting), self._patience_s)
            finally:
                if waiting in self._line:
                    self._line.remove(waiting)
            if waiting.is_sent_away:
                raise self._full()
            if not may_go:
                raise QueueFull(f"{self._name}: no turn within {self._patience_s:g} s (expected: one)")
            self._taken[who] += 1
            self._changed.notify_all()

    def give_back(self, who: str | None) -> None:
        """End a turn that `take` has given."""
        with self._changed:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]
            self._changed.notify_all()

    def close(self) -> None:
        """Let everybody go who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _check_room(self, who: str | None) -> None:
        if self._closed:
            return
        own = self._taken[who] + sum(each.who == who for each in self._line)
        if who is not None and self._most_each is not None and own >= self._most_each:
            limit = f"(expected: < {self._most_each})"
            raise QueueFull(f"{self._name}: {own} of {who} wait or run already {limit}")
        is_free = self._taken.total() + len(self._line) < self._most
        if not is_free and len(self._line) >= self._most_waiting and not self._make_room(own):
            raise self._full()

    def _make_room(self, own: int) -> bool:
        """Send the last away of who has most turns, if it is more than one who has `own` would have."""
        counts = self._taken + Counter(each.who for each in self._line)
        greediest = max(reversed(self._line), key=lambda each: counts[each.who], default=None)
        if greediest is None or counts[greediest.who] <= own + 1:
            return False
        greediest.is_sent_away = True
        self._line.remove(greediest)
        self._changed.notify_all()
        return True

    def _full(self) -> QueueFull:
        return QueueFull(f"{self._name}: {self._most_waiting} wait already (expected: fewer; try again)")

    def _may_go(self, waiting: _Waiting) -> bool:
        if self._closed or waiting.is_sent_away:
            return True
        if self._taken.total() >= self._most:
            return False
        return min(self._line, key=lambda each: self._taken[each.who]) is waiting


class _Waiting:
    """One that waits; `min` takes the first of equals, and so who came first."""

    def __init__(self, who: str | None) -> None:
        self.who = who
        self.is_sent_away = False
