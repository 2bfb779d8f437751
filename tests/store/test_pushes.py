"""How a push is judged."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from configsvc.core.changes import ANONYMOUS
from configsvc.core.errors import PushRefused
from configsvc.core.reports import Violation
from configsvc.core.trees import PathChange
from configsvc.store.gitstore import GitStore
from configsvc.store.pushbounds import Budget
from configsvc.store.pushes import Landing
from configsvc.store.pushtypes import EVERY_REF, Pusher
from tests.store.gitrepo import commit_files, put
from tests.store.pushlab import PUSHER, brought

pytestmark = pytest.mark.slow


def never(changes: object, tree: object) -> list[Violation]:
    raise AssertionError("the gate was asked")


@pytest.mark.parametrize("is_behind", [False, True], ids=["as it is", "merged"])
def test_rights_on_all_of_a_push_are_asked_before_anything_of_it_is_parsed(
    store: GitStore, clone: Path, is_behind: bool
) -> None:
    def refused(changes: Sequence[PathChange], before: object) -> list[Violation]:
        return [Violation(each.path, "not allowed") for each in changes if each.path == "last.json"]

    for name in ("first", "second", "last"):
        commit_files(clone, {f"{name}.json": "{}\n"})
    update = brought(store, clone)
    if is_behind:
        put(store, {"between.json": b"{}\n"})
    judge = replace(store.pushes.judge_of_stored(Pusher(ANONYMOUS, refused, EVERY_REF)), gate=never)
    with pytest.raises(PushRefused, match=r"last\.json: not allowed"):
        judge.judge(update.new, update.ref, store.snapshot().head)


@pytest.mark.parametrize("cpu_s", [20.0, 10_000.0])
def test_a_push_whose_documents_are_too_much_work_is_refused_in_words(
    store: GitStore, clone: Path, cpu_s: float
) -> None:
    commit_files(clone, {f"d{each}.json": "{}\n" for each in range(100)})
    update = brought(store, clone)
    ticks = itertools.count()
    budget = Budget(cpu_s=cpu_s, cpu_clock=lambda: float(next(ticks)))
    judge = replace(store.pushes.judge_of_stored(PUSHER), budget=budget)
    is_enough = cpu_s > 100
    with (
        contextlib.nullcontext()
        if is_enough
        else pytest.raises(PushRefused, match="more than 20 s of the processor to judge")
    ):
        judged = judge.judge(update.new, update.ref, store.snapshot().head)
        assert judged is not None
        assert len(judged.steps) == 1
    assert (next(ticks) > 100) is is_enough


def test_a_step_is_judged_by_the_rules_before_it(store: GitStore, clone: Path) -> None:
    seen: list[bool] = []

    def refused(changes: object, before: object) -> list[Violation]:
        seen.append(before.mode(".configsvc/schemas/ann.json") is not None)  # type: ignore[attr-defined]
        return []

    commit_files(clone, {".configsvc/schemas/ann.json": "{}\n"})
    commit_files(clone, {".configsvc/schemas/ann.json": None, "b.json": "{}\n"})
    Landing(store.pushes, brought(store, clone), Pusher(ANONYMOUS, refused, EVERY_REF))
    assert seen == [False, True]
