"""How those who wait are told: in order, a portion in each turn of the loop, measured until the last one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from configsvc.edge.loophub import CATCH_UP_S, PORTION, LoopHub
from configsvc.watch.interest import Interest
from tests.edge.running import PATIENCE_S

WEB = Interest(frozenset({"web"}))


class Store:
    """What a hub listens to."""

    def __init__(self) -> None:
        self.told: Callable[[Collection[str]], None] = lambda paths: None

    def listen(self, told: Callable[[Collection[str]], None]) -> Callable[[], None]:
        self.told = told
        return lambda: None


def run(test: Coroutine[Any, Any, None]) -> list[dict[str, Any]]:
    """Run a test and return what the loop was told of failures."""
    failures: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with asyncio.timeout(PATIENCE_S):
            await test

    asyncio.run(main())
    return failures


async def turns() -> None:
    """Wait for so many turns that whatever goes on by itself has come to its end."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_others_have_a_turn_after_each_portion_however_many_are_told() -> None:
    count = 10 * PORTION + 1
    told: list[int] = []
    seen: list[int] = []

    async def test() -> None:
        hub = LoopHub(Store().listen, most=10)
        hub.tell(told.extend, range(count))
        while len(told) < count:
            seen.append(len(told))
            await asyncio.sleep(0)

    assert run(test()) == []
    assert told == list(range(count))
    assert max(after - before for before, after in pairwise([0, *seen, count])) <= PORTION


def test_who_is_told_next_comes_after_who_was_to_be_told_before() -> None:
    told: list[str] = []

    async def test() -> None:
        hub = LoopHub(Store().listen, most=10)
        hub.wake([lambda: hub.tell(told.extend, ["c"]), lambda: told.append("a")])
        hub.tell(told.extend, ["d"])
        await turns()

    assert run(test()) == []
    assert told == ["a", "c", "d"]


def test_one_who_cannot_be_told_takes_nobody_elses_turn() -> None:
    told: list[int] = []

    def tell(numbers: Iterator[int]) -> None:
        for number in numbers:
            if number == 1:
                raise OSError("gone")
            told.append(number)

    async def test() -> None:
        hub = LoopHub(Store().listen, most=10)
        asyncio.get_running_loop().call_soon(hub.tell, tell, range(3))
        await turns()
        hub.tell(told.extend, [3])

    (failure,) = run(test())
    assert isinstance(failure["exception"], OSError)
    assert told == [0, 2, 3]


def test_a_publish_is_measured_when_the_last_one_is_told_not_when_the_first_one_is_woken() -> None:
    measured: list[tuple[str, int]] = []

    async def test() -> None:
        store = Store()
        hub = LoopHub(store.listen, most=10)
        hub.start()
        may_make = asyncio.Event()

        def note(what: str) -> None:
            measured.append((what, sum(hub.spread.counts)))

        async def make() -> None:
            note("making")
            await may_make.wait()
            note("made")
            hub.wake(partial(note, f"told {number}") for number in range(2))

        hub.index.add(WEB, lambda: hub.await_making(asyncio.get_running_loop().create_task(make())))
        store.told(["web.json"])
        await turns()
        may_make.set()
        await turns()
        note("end")

    assert run(test()) == []
    assert measured == [("making", 0), ("made", 0), ("told 0", 0), ("told 1", 0), ("end", 1)]


def test_a_publish_that_concerns_nobody_is_not_measured() -> None:
    async def test() -> None:
        store = Store()
        hub = LoopHub(store.listen, most=10)
        hub.start()
        hub.index.add(WEB, lambda: None)
        for path in ("other.json", "web.json", "web/api.json"):
            store.told([path])
            await turns()
        assert sum(hub.spread.counts) == 1

    assert run(test()) == []


def test_who_catches_up_takes_a_step_in_a_turn_and_others_have_theirs_in_between() -> None:
    told: list[str] = []

    async def test() -> None:
        hub = LoopHub(Store().listen, most=10)

        def step(name: str) -> None:
            told.append(name)
            end_s = time.monotonic() + 2 * CATCH_UP_S
            while time.monotonic() < end_s:
                pass
            if told.count(name) < 3:
                hub.catch_up(partial(step, name))

        hub.wake([partial(step, "a"), partial(step, "b")])
        while told.count("b") < 3:
            await asyncio.sleep(0)
            told.append("turn")

    assert run(test()) == []
    assert told == ["a", "b", "a", "turn", "b", "turn", "a", "turn", "b", "turn"]


def test_those_who_are_soon_done_catch_up_together_and_one_that_fails_alone() -> None:
    told: list[int] = []

    def fail() -> None:
        raise ValueError

    async def test() -> None:
        hub = LoopHub(Store().listen, most=10)
        for number in range(5):
            hub.catch_up(partial(told.append, number) if number != 2 else fail)
        await turns()
        hub.catch_up(partial(told.append, 5))
        await turns()

    (failure,) = run(test())
    assert isinstance(failure["exception"], ValueError)
    assert told == [0, 1, 3, 4, 5]
