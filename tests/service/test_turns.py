from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from configsvc.service.turns import Turns

LONG_S = 60.0


class Crowd:
    """Counts how many are inside at one time."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


def test_no_more_compute_at_one_time_than_there_are_turns() -> None:
    turns, crowd = Turns(2, patience_s=LONG_S), Crowd()
    together = threading.Barrier(8)

    def work() -> None:
        together.wait()
        for _ in range(50):
            with turns.taken():
                with crowd:
                    pass
                with turns.lent():
                    time.sleep(0)
                with crowd:
                    pass

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    assert crowd.most <= 2


def test_who_waits_for_something_lends_its_turn() -> None:
    turns = Turns(1, patience_s=LONG_S)
    came_by = threading.Event()

    def other() -> None:
        with turns.taken():
            came_by.set()

    with ThreadPoolExecutor(1) as pool, turns.taken():
        done = pool.submit(other)
        assert not came_by.is_set()
        with turns.lent():
            assert came_by.wait(LONG_S)
        done.result()


def test_who_gets_no_turn_goes_on_without_one_and_gives_back_none() -> None:
    turns = Turns(1, patience_s=0.01)

    def impatient() -> None:
        with turns.taken(), turns.lent():
            pass

    with ThreadPoolExecutor(1) as pool:
        with turns.taken():
            for _ in range(3):
                pool.submit(impatient).result()
        with turns.taken():  # it is there again, once
            pool.submit(impatient).result()


def fail(turns: Turns, *, is_lent: bool) -> None:
    with turns.taken():
        if is_lent:
            with turns.lent():
                raise ValueError("lent")
        raise ValueError("taken")


@pytest.mark.parametrize("is_lent", [False, True])
def test_a_turn_is_given_back_by_who_fails(is_lent: bool) -> None:
    turns = Turns(1, patience_s=LONG_S)
    for _ in range(3):
        with pytest.raises(ValueError, match="lent" if is_lent else "taken"):
            fail(turns, is_lent=is_lent)
