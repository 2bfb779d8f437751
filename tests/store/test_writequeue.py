from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from configsvc.core.errors import QueueFull, ServiceClosed
from configsvc.store.writequeue import MAX_BATCH, MAX_QUEUE, WriteQueue

AGES_S = 60.0
NOW_S = 0.001

Taken = Future[list[str] | None]


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_those_who_are_answered_together_come_back_in_one_batch(other_thread: ThreadPoolExecutor) -> None:
    queue = WriteQueue[str](gap_s=AGES_S)
    queue.expect(3, within_s=AGES_S)
    taken: Taken = other_thread.submit(queue.take, AGES_S)
    for item in "abc":
        assert not taken.done()
        queue.put(item)
    assert taken.result(AGES_S) == ["a", "b", "c"]


def test_those_who_wait_already_are_joined_by_those_who_are_answered(
    other_thread: ThreadPoolExecutor,
) -> None:
    queue = WriteQueue[str](gap_s=AGES_S)
    queue.put("waits")
    queue.expect(1, within_s=AGES_S)
    taken: Taken = other_thread.submit(queue.take, AGES_S)
    assert not taken.done()
    queue.put("answered")
    assert taken.result(AGES_S) == ["waits", "answered"]


def test_who_does_not_come_back_holds_nobody_up() -> None:
    queue = WriteQueue[str](gap_s=NOW_S)
    queue.expect(2, within_s=AGES_S)
    queue.put("alone")
    assert queue.take(AGES_S) == ["alone"]


def test_none_is_waited_for_longer_than_it_is_worth() -> None:
    queue = WriteQueue[str](gap_s=AGES_S)
    queue.expect(2, within_s=0.0)
    queue.put("alone")
    assert queue.take(AGES_S) == ["alone"]


def test_who_writes_alone_waits_for_nobody() -> None:
    queue = WriteQueue[str](gap_s=AGES_S)
    for _ in range(2):
        queue.put("alone")
        assert queue.take(AGES_S) == ["alone"]
        queue.expect(1, within_s=AGES_S)


def test_what_waits_when_it_is_closed_is_given_out_and_nothing_is_taken_any_more(
    other_thread: ThreadPoolExecutor,
) -> None:
    queue = WriteQueue[str](gap_s=AGES_S)
    queue.expect(2, within_s=AGES_S)
    queue.put("last")
    taken: Taken = other_thread.submit(queue.take, AGES_S)
    queue.close()
    assert taken.result(AGES_S) == ["last"]
    assert queue.take(AGES_S) is None
    with pytest.raises(ServiceClosed, match="shutting down"):
        queue.put("late")


def test_nothing_in_time_is_an_empty_batch() -> None:
    assert WriteQueue[str]().take(NOW_S) == []


def test_what_is_put_back_comes_first_and_in_its_order() -> None:
    queue = WriteQueue[str]()
    queue.put("c")
    queue.put_back(["a", "b"])
    assert queue.take(AGES_S) == ["a", "b", "c"]


def test_a_batch_and_the_queue_are_bounded() -> None:
    queue = WriteQueue[int](gap_s=AGES_S)
    for number in range(MAX_QUEUE):
        queue.put(number)
    with pytest.raises(QueueFull, match=f"{MAX_QUEUE} writes wait already"):
        queue.put(MAX_QUEUE)
    queue.expect(1, within_s=AGES_S)
    assert queue.take(AGES_S) == list(range(MAX_BATCH))
    assert len(queue) == MAX_QUEUE - MAX_BATCH
