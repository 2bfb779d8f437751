from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from configsvc.core.errors import QueueFull, SchemaTooSlow, ServiceClosed, Unavailable
from configsvc.core.reports import Violation
from configsvc.validation import workers as workers_module
from configsvc.validation.askers import asking
from configsvc.validation.judge import judge_value
from configsvc.validation.schemas import Schema
from configsvc.validation.verdicts import SchemaJudge
from configsvc.validation.workers import REMEMBERED_S, WorkerPool
from tests.validation.schema_files import nested, schema

pytestmark = pytest.mark.slow  # processes are started and ended

DEADLINE_S = 20.0
SLOW = {"properties": {"a": {"pattern": "^(a+)+$"}}}
HOSTILE_VALUE = {"a": "a" * 50 + "!"}


def endless_schema() -> Schema:
    """Return a schema whose pattern takes longer than anybody waits."""
    return schema(SLOW)


@contextmanager
def pool_of(**options: float) -> Iterator[WorkerPool]:
    pool = WorkerPool(**options)  # type: ignore[arg-type] # counts are whole numbers
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def counting() -> Iterator[Callable[[], float]]:
    """Let another thread go on; gives the longest time that it was held up by others of this process.

    That is what the process computed meanwhile: nobody can help it that the machine does other work.
    """
    ended = threading.Event()
    started = threading.Event()
    longest_s = [0.0]

    def count() -> None:
        last_s = time.process_time()
        while not ended.is_set():
            started.set()
            ended.wait(0.001)
            now_s = time.process_time()
            longest_s[0] = max(longest_s[0], now_s - last_s)
            last_s = now_s

    thread = threading.Thread(target=count)
    thread.start()
    started.wait(DEADLINE_S)
    try:
        yield lambda: longest_s[0]
    finally:
        ended.set()
        thread.join()


def until(is_so: Callable[[], bool]) -> None:
    """Return when something is so; fail when it takes too long."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.01)


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_find_what_judging_here_finds(workers: WorkerPool) -> None:
    judged_by = schema({"properties": {"a": {"pattern": "^x"}}, "additionalProperties": False})
    value = {"a": "y", "b": 1}
    assert workers.judge(value, [judged_by]) == judge_value(value, [judged_by]) != []


def test_workers_check_schemas(workers: WorkerPool) -> None:
    assert workers.check(schema({"pattern": "^a+$"})) == []
    (found,) = workers.check(schema({"pattern": "("}))
    assert found == Violation("schemas/web.json", '"(" is not of format regex', "/pattern")


def test_no_process_is_started_before_there_is_a_job() -> None:
    with pool_of() as pool:
        assert pool.process_ids == []


def test_a_judgement_over_its_time_is_refused_and_its_worker_replaced() -> None:
    with pool_of(max_workers=1, time_limit_s=1) as pool:
        pool.judge({}, [endless_schema()])
        (before,) = pool.process_ids
        with pytest.raises(SchemaTooSlow, match=r"schema schemas/web\.json: takes more than 1 s"):
            pool.judge(HOSTILE_VALUE, [endless_schema()])
        assert not is_alive(before)
        assert pool.judge({"a": "aaa"}, [endless_schema()]) == []
        assert pool.process_ids != [before]


def test_a_judgement_over_its_memory_is_refused_and_its_worker_replaced() -> None:
    with pool_of(max_workers=1, time_limit_s=30, memory_limit_bytes=256 << 20) as pool:
        pool.judge({}, [schema({})])
        (before,) = pool.process_ids
        many = {"items": {"anyOf": [{"type": "string"}, {"const": "x"}] * 500}}
        judged_by = schema({"properties": {"a": {"anyOf": [many, many]}}})
        with pytest.raises(SchemaTooSlow, match="takes more than 256 MiB of memory"):
            pool.judge({"a": list(range(2000))}, [judged_by])
        assert pool.judge({}, [schema({})]) == []
        assert pool.process_ids != [before]


def test_a_worker_that_was_killed_between_two_jobs_is_replaced_unnoticed() -> None:
    with pool_of(max_workers=1) as pool:
        pool.judge({}, [schema({})])
        (before,) = pool.process_ids
        os.kill(before, signal.SIGKILL)
        assert pool.judge({}, [schema({"required": ["a"]})]) != []


def test_a_worker_that_was_killed_during_a_job_is_replaced_once() -> None:
    with pool_of(max_workers=1, time_limit_s=2) as pool, ThreadPoolExecutor(1) as threads:
        pool.judge({}, [schema({})])
        (before,) = pool.process_ids
        under_way = threads.submit(pool.judge, HOSTILE_VALUE, [endless_schema()])
        until(lambda: not pool._idle)
        os.kill(before, signal.SIGKILL)
        with pytest.raises(SchemaTooSlow):
            under_way.result(DEADLINE_S)


def test_a_job_that_finds_no_free_worker_is_refused_as_one_to_try_again() -> None:
    with (
        pool_of(max_workers=1, time_limit_s=2, max_wait_s=0.05) as pool,
        ThreadPoolExecutor(1) as threads,
    ):
        pool.judge({}, [schema({})])
        under_way = threads.submit(pool.judge, HOSTILE_VALUE, [endless_schema()])
        until(lambda: not pool._idle)
        with pytest.raises(QueueFull, match=r"no turn within 0\.05 s"):
            pool.judge({}, [schema({})])
        with pytest.raises(SchemaTooSlow):
            under_way.result(DEADLINE_S)


def test_jobs_wait_for_a_worker_and_all_are_done() -> None:
    judged_by = schema({"properties": {"a": {"pattern": "^x"}}})
    with pool_of() as pool, ThreadPoolExecutor(8) as threads:
        jobs: list[Future[list[Violation]]] = [
            threads.submit(pool.judge, {"a": f"y{number}"}, [judged_by]) for number in range(50)
        ]
        found = [job.result(DEADLINE_S)[0].message for job in jobs]
        assert found == [f'"y{number}" does not match ^x (schema schemas/web.json)' for number in range(50)]
        assert len(pool.process_ids) <= 2


def test_closing_ends_every_process_and_the_jobs_under_way() -> None:
    pool = WorkerPool(time_limit_s=DEADLINE_S)
    pool.judge({}, [schema({})])
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(pool.judge, HOSTILE_VALUE, [endless_schema()])
        until(lambda: not pool._idle)
        process_ids = pool.process_ids
        pool.close()
        pool.close()
        with pytest.raises(ServiceClosed):
            under_way.result(DEADLINE_S)
    assert process_ids
    assert not any(map(is_alive, process_ids))
    with pytest.raises(ServiceClosed):
        pool.judge({}, [schema({})])


def test_a_worker_ends_by_itself_when_the_service_is_gone() -> None:
    with pool_of(max_workers=1) as pool:
        pool.judge({}, [schema({})])
        (worker,) = pool._workers
        worker._connection.close()
        assert worker.process.wait(DEADLINE_S) == 0


@pytest.mark.thorough
def test_a_worker_at_work_ends_by_itself_when_nobody_ends_it() -> None:
    with pool_of(max_workers=1, time_limit_s=0.5) as pool:
        pool.judge({}, [schema({})])
        (worker,) = pool._workers
        worker.end = lambda: None  # type: ignore[method-assign] # as if the service had been killed
        with pytest.raises(SchemaTooSlow):
            pool.judge(HOSTILE_VALUE, [endless_schema()])
        assert worker.process.wait(DEADLINE_S) == -signal.SIGALRM
        worker._connection.close()


def test_a_worker_that_cannot_be_started_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pool_of() as pool, pytest.raises(Unavailable, match="could not be started"):
        pool.judge({}, [schema({})])


def doubled(depth: int) -> Schema:
    """Return a schema that tries two alternatives on each level of a value."""
    node = {"properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}] * 2}}, "required": ["x"]}
    return schema({"$ref": "#/$defs/node", "$defs": {"node": node}})


HOSTILE = {
    "catastrophic pattern": (endless_schema(), HOSTILE_VALUE),
    "catastrophic key pattern": (
        schema({"patternProperties": {"^(a|aa)+$": False}}),
        {"a" * 60 + "!": 1},
    ),
    "pattern in a check of keys": (schema({"propertyNames": {"pattern": "^(a+)+$"}}), {"a" * 50 + "!": 1}),
    "alternatives on every level": (doubled(60), nested(60)),
    "unevaluated on every level": (
        schema(
            {
                "properties": {"next": {"$ref": "#"}},
                "anyOf": [{"properties": {"next": {"$ref": "#"}}}] * 4,
                "unevaluatedProperties": False,
            }
        ),
        nested(60),
    ),
    "large divisor": (
        schema({"properties": {"a": {"items": {"multipleOf": 10**4000}}}}),
        {"a": [1e308] * 9000},
    ),
    "100,000 unique items": (
        schema({"properties": {"a": {"uniqueItems": True}}}),
        {"a": list(range(99_000))},
    ),
    "50,000 unique mappings": (
        schema({"properties": {"a": {"uniqueItems": True}}}),
        {"a": [{"x": number} for number in range(49_000)]},
    ),
    "items of one hash": (
        schema({"properties": {"a": {"uniqueItems": True}}}),
        {"a": [number * (2**61 - 1) for number in range(99_000)]},
    ),
    "a long list of values": (
        schema({"properties": {"a": {"items": {"enum": list(range(15_000))}}}}),
        {"a": [-1] * 90_000},
    ),
    "many violations": (schema({"properties": {"a": {"items": False}}}), {"a": [0] * 99_000}),
    "many violations of a large value": (
        schema({"allOf": [{"maxProperties": 0}] * 4000}),
        {"a": "x" * 60_000},
    ),
    "pattern that is slow to compile": (schema({"pattern": "(?i)" + "[\x01-\U0010ffff]" * 50}), {}),
    "deep nesting": (schema({"properties": {"next": {"$ref": "#"}}}), nested(64)),
    "a schema that is endless": (schema({"$ref": "#"}), {"a": 1}),
}


def refusal_of(judge: Callable[[], object]) -> str | None:
    """Return why a judgement was given up, None when it was not."""
    try:
        judge()
    except SchemaTooSlow as error:
        return error.message
    return None


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_is_refused_or_done_in_time_while_others_go_on(
    workers: WorkerPool, name: str
) -> None:
    judged_by, value = HOSTILE[name]
    judge = SchemaJudge(workers)
    workers.judge({}, [schema({})])  # the limit does not count the start of a worker
    with counting() as longest_hold_s:
        began_s = time.monotonic()
        refusal = refusal_of(lambda: judge.judge(value, [judged_by]))
        took_s = time.monotonic() - began_s
        held_s = longest_hold_s()
    assert refusal is None or judged_by.name in refusal
    # The limit is 0.9 s, the rest is room for a machine with other work; without it, it takes hours.
    assert took_s < 10.0
    assert held_s < 0.5


@pytest.mark.thorough
def test_bounded_jobs_that_would_wait_in_a_crowd_are_refused_at_once() -> None:
    with pool_of(max_workers=1, max_waiting=2) as pool, ThreadPoolExecutor(8) as crowd:
        asked = [crowd.submit(pool.judge, HOSTILE_VALUE, [endless_schema()]) for _ in range(8)]
        refusals = [type(each.exception(60)) for each in asked]
    assert refusals.count(QueueFull) >= 5
    assert set(refusals) == {QueueFull, SchemaTooSlow}


@pytest.mark.thorough
def test_one_who_asks_for_much_leaves_room_for_who_asks_for_little() -> None:
    def judge(who: str, value: object, judged_by: Schema) -> list[Violation]:
        with asking(who):
            return pool.judge(value, [judged_by])

    with pool_of(max_workers=1, max_waiting=2) as pool, ThreadPoolExecutor(8) as crowd:
        greedy = [
            crowd.submit(judge, "greedy", HOSTILE_VALUE | {"n": number}, endless_schema())
            for number in range(3)
        ]
        until(lambda: len(pool._turns._line) == 2)
        assert crowd.submit(judge, "honest", {}, schema({})).result(DEADLINE_S) == []
        refusals = [type(each.exception(DEADLINE_S)) for each in greedy]
    assert refusals.count(QueueFull) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("is_over", [True, False])
def test_what_was_over_its_limits_is_refused_without_being_tried_again_for_a_while(
    monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    now_s = 1000.0
    started: list[int] = []
    start = workers_module._started

    def counted(limit: int) -> object:
        started.append(limit)
        return start(limit)

    monkeypatch.setattr(workers_module, "_started", counted)
    with closing(WorkerPool(max_workers=1, time_limit_s=0.3, now=lambda: now_s)) as pool:
        with pytest.raises(SchemaTooSlow) as first:
            pool.judge(HOSTILE_VALUE, [endless_schema()])
        now_s += REMEMBERED_S if is_over else REMEMBERED_S - 1
        with pytest.raises(SchemaTooSlow) as again:
            pool.judge(HOSTILE_VALUE, [endless_schema()])
        assert again.value.message == first.value.message
        assert len(started) == (2 if is_over else 1)
        assert pool.judge({}, [endless_schema()]) == []


@pytest.mark.thorough
def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "MAX_REMEMBERED", 2)
    with closing(WorkerPool(max_workers=1, time_limit_s=0.05)) as pool:
        for number in range(4):
            with pytest.raises(SchemaTooSlow):
                pool.judge(HOSTILE_VALUE | {"n": number}, [endless_schema()])
        assert len(pool._refused) == 2
