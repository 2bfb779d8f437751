from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from configsvc.core.errors import QueueFull
from configsvc.core.fairturns import FairTurns

PATIENCE_S = 30.0


def turns_of(
    most: int = 1, *, waiting: int = 10, each: int = 10, patience_s: float = PATIENCE_S
) -> FairTurns:
    return FairTurns("jobs", most=most, most_waiting=waiting, most_each=each, patience_s=patience_s)


class Crowd:
    """Asks for turns in the order of its calls, each held until it is let go."""

    def __init__(self, turns: FairTurns, pool: ThreadPoolExecutor) -> None:
        self._turns = turns
        self._pool = pool
        self.served: list[str] = []
        self.go = threading.Semaphore(0)
        self._held = threading.Semaphore(0)

    def ask(self, who: str) -> Future[None]:
        """Ask, and return when the request is in line or served."""
        before = self._in_line()
        asked = self._pool.submit(self._hold, who)
        while self._in_line() <= before and not asked.done():
            threading.Event().wait(0.001)
        return asked

    def ask_in_place(self, who: str) -> Future[None]:
        """Ask, and return when the request is in line instead of another one."""
        asked = self._pool.submit(self._hold, who)
        while all(each.who != who for each in self._turns._line):
            threading.Event().wait(0.001)
        return asked

    def _in_line(self) -> int:
        return len(self._turns._line) + self._turns._taken.total()

    def _hold(self, who: str) -> None:
        with self._turns.taken(who):
            self.served.append(who)
            assert self.go.acquire(timeout=PATIENCE_S)


@contextmanager
def crowd_of(turns: FairTurns) -> Iterator[Crowd]:
    with ThreadPoolExecutor(16) as pool:
        crowd = Crowd(turns, pool)
        try:
            yield crowd
        finally:
            crowd.go.release(100)


def test_who_asks_for_little_does_not_wait_behind_all_of_who_asks_for_much() -> None:
    with crowd_of(turns_of()) as crowd:
        asked = [crowd.ask(who) for who in ("greedy", "greedy", "greedy", "modest")]
        crowd.go.release(4)
        for each in asked:
            each.result(PATIENCE_S)
    # the one under way has no turn any more when the next is given, and the first of equals goes first
    assert crowd.served[0] == "greedy"
    assert sorted(crowd.served) == ["greedy", "greedy", "greedy", "modest"]


def test_of_two_turns_one_who_has_none_gets_the_next() -> None:
    with crowd_of(turns_of(2)) as crowd:
        for who in ("greedy", "greedy", "greedy", "greedy", "modest"):
            crowd.ask(who)
        crowd.go.release()
        while len(crowd.served) < 3:
            threading.Event().wait(0.001)
        assert crowd.served == ["greedy", "greedy", "modest"]


def test_more_than_ones_share_is_refused_at_once_and_others_are_not() -> None:
    with crowd_of(turns_of(each=2)) as crowd:
        for _ in range(2):
            crowd.ask("greedy")
        with pytest.raises(QueueFull, match=r"jobs: 2 of greedy wait or run already \(expected: < 2\)"):
            crowd.ask("greedy").result(PATIENCE_S)
        assert not crowd.ask("modest").done()


def test_more_than_may_wait_are_refused_at_once() -> None:
    with crowd_of(turns_of(waiting=2)) as crowd:
        for who in ("a", "b", "c"):
            crowd.ask(who)
        with pytest.raises(QueueFull, match="jobs: 2 wait already"):
            crowd.ask("d").result(PATIENCE_S)


def test_where_no_more_may_wait_one_who_asks_for_little_takes_the_place_of_who_asks_for_most() -> None:
    with crowd_of(turns_of(waiting=3, each=99)) as crowd:
        greedy = [crowd.ask("greedy") for _ in range(4)]
        modest = crowd.ask_in_place("modest")
        with pytest.raises(QueueFull, match="jobs: 3 wait already"):
            greedy[-1].result(PATIENCE_S)
        with pytest.raises(QueueFull, match="jobs: 3 wait already"):
            crowd.ask("greedy").result(PATIENCE_S)
        crowd.go.release(4)
        for each in (*greedy[:-1], modest):
            each.result(PATIENCE_S)


def test_a_wait_that_is_too_long_is_refused() -> None:
    turns = turns_of(patience_s=0.01)
    with turns.taken("a"), pytest.raises(QueueFull, match=r"no turn within 0\.01 s"):
        turns.take("b")


def test_a_turn_comes_back_after_a_failure() -> None:
    turns = turns_of(patience_s=0.01)
    with pytest.raises(KeyError), turns.taken("a"):
        raise KeyError
    with turns.taken("b"):
        pass


def test_closing_lets_everybody_go() -> None:
    turns = turns_of()
    with crowd_of(turns) as crowd:
        crowd.ask("a")
        waiting = crowd.ask("b")
        turns.close()
        crowd.go.release(2)
        assert waiting.result(PATIENCE_S) is None
