"""Every watcher's sequence is exactly the versions from its `since`, whatever happens meanwhile."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.store.base import Snapshot, Write
from configsvc.store.gitstore import GitStore
from configsvc.store.memory import MemoryStore
from configsvc.watch import stream
from configsvc.watch.interest import Interest, interest_in
from configsvc.watch.stream import Stream, existing

NAMES = ["a", "a/b", "a/c", "pay/api", "pay/web", "z"]
INTERESTS = [
    interest_in([], None),
    interest_in([], "pay/"),
    interest_in(["a"], None),
    interest_in(["a", "z"], None),
    interest_in(["z"], "a/"),
]


@dataclass
class Watcher:
    """Follows, and forgets now and then all but the last revision that it was told."""

    interest: Interest
    since: int
    told: list[tuple[int, str, int]] = field(default_factory=list)
    last: int = 0

    def __post_init__(self) -> None:
        self.last = self.since
        self.stream = Stream(self.interest, self.since)

    def follow(self, snapshot: Snapshot) -> None:
        while self.stream.position < snapshot.revision:
            for event in self.stream.step(snapshot, lambda service: True):
                self.told += [(event.revision, each.service, each.version) for each in event.entries]
                self.last = event.revision

    def come_again(self) -> None:
        self.stream = Stream(self.interest, self.last)

    def expected(self, snapshot: Snapshot) -> list[tuple[int, str, int]]:
        return sorted(
            (each.revision, name, each.version)
            for name in NAMES
            if self.interest.matches(name)
            for each in snapshot.entries(name)
            if each.revision > self.since
        )


def land(store: GitStore | MemoryStore, luck: random.Random) -> None:
    edits: dict[str, bytes | None] = {}
    for name in luck.sample(NAMES, luck.choice([1, 1, 1, 2, 4])):
        edits[f"{name}.json"] = None if luck.random() < 0.2 else b'{"v": %d}\n' % luck.randrange(4)
    known = store.snapshot()
    edits = {path: data for path, data in edits.items() if data or known.read(path) is not None}
    if edits:
        store.submit(Write(lambda view: Plan(edits, "x"), ANONYMOUS)).result()


def run(root: Path, seed: int, watchers: int, lives: int, writes: int) -> None:
    luck = random.Random(seed)
    following = [Watcher(luck.choice(INTERESTS), 0) for _ in range(5)]
    for _ in range(lives):
        with GitStore.open(root) as store:
            for _ in range(writes):
                land(store, luck)
                if len(following) < watchers:
                    since = luck.randrange(store.snapshot().revision + 1)
                    following.append(Watcher(luck.choice(INTERESTS), since))
                for watcher in luck.sample(following, len(following) // 3):
                    if luck.random() < 0.3:
                        watcher.come_again()
                    watcher.follow(store.snapshot())
        for watcher in following:
            watcher.come_again()
    with GitStore.open(root) as store:
        for watcher in following:
            watcher.follow(store.snapshot())
            assert watcher.told == watcher.expected(store.snapshot())


@pytest.mark.slow
def test_watchers_see_every_version_in_order_across_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "REVISIONS_A_STEP", 3)
    run(tmp_path / "repo", 1, watchers=50, lives=3, writes=30)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_watchers_see_every_version_in_order_for_a_long_time(tmp_path: Path, seed: int) -> None:
    run(tmp_path / "repo", seed, watchers=50, lives=10, writes=500)


@pytest.mark.parametrize("portion", [1, 2, 500])
@pytest.mark.parametrize("interest", INTERESTS)
def test_a_stream_of_any_start_and_portion_is_complete(
    interest: Interest, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "REVISIONS_A_STEP", portion)
    store, luck = MemoryStore(), random.Random(7)
    for _ in range(40):
        land(store, luck)
    for since in range(store.snapshot().revision + 1):
        watcher = Watcher(interest, since)
        watcher.follow(store.snapshot())
        assert watcher.told == watcher.expected(store.snapshot())


def test_a_commit_of_several_services_is_one_event_of_those_that_may_be_read() -> None:
    store = MemoryStore()
    edits: dict[str, bytes | None] = {"b.json": b"{}\n", "a.json": b"{}\n", "secret.json": b"{}\n"}
    store.submit(Write(lambda view: Plan(edits, "x"), ANONYMOUS)).result()
    (event,) = Stream(interest_in([], None), 1).step(store.snapshot(), lambda name: name != "secret")
    assert [each.service for each in event.entries] == ["a", "b"]


def test_what_exists_is_listed_once_and_sorted() -> None:
    store = MemoryStore()
    edits: dict[str, bytes | None] = {f"{name}.json": b"{}\n" for name in NAMES}
    store.submit(Write(lambda view: Plan(edits, "x"), ANONYMOUS)).result()
    store.submit(Write(lambda view: Plan({"a/b.json": None}, "x"), ANONYMOUS)).result()
    found = existing(store.snapshot(), interest_in(["z", "a/c"], "a/"))
    assert [entry.service for entry in found] == ["a/c", "z"]


def test_what_exists_is_found_no_further_than_it_is_asked_for() -> None:
    store, looked = MemoryStore(), []
    edits: dict[str, bytes | None] = {f"s{number:03d}.json": b"{}\n" for number in range(100)}
    store.submit(Write(lambda view: Plan(edits, "x"), ANONYMOUS)).result()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(store.snapshot(), name)

        def services(self, prefix: str) -> Iterator[str]:
            for name in store.snapshot().services(prefix):
                looked.append(name)
                yield name

    found = existing(cast(Snapshot, Watched()), interest_in([], "s"))

    assert [next(found).service for _ in range(3)] == ["s000", "s001", "s002"]
    assert len(looked) <= 4
