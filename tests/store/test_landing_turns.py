"""Landings and maintenance take turns, and neither waits for ever."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from configsvc.core.changes import ANONYMOUS
from configsvc.core.errors import GitBusy, OutcomeUnknown, PushRefused
from configsvc.core.reports import Violation
from configsvc.store import pushes
from configsvc.store.gitstore import GitStore
from configsvc.store.landingturns import LandingTurns
from configsvc.store.maintenance import Maintenance
from configsvc.store.pushes import Landing
from configsvc.store.pushtypes import EVERY_REF, Pusher, RefUpdate
from configsvc.store.repository import LEFTOVERS
from tests.store.gitrepo import WAIT_S, assert_sound, commit_files, git, put
from tests.store.pushlab import PUSHER, brought

pytestmark = pytest.mark.slow


def test_what_is_refused_late_goes_with_the_next_maintenance(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"a.json": "{"})
    update = brought(store, clone)
    for mark in (store.git_dir / "objects/pack").glob("*.keep"):
        mark.unlink()
    with pytest.raises(PushRefused):
        store.pushes.land(update, PUSHER)
    assert git(store.root, "cat-file", "-t", update.new) == "commit"
    Maintenance(store.root, store.git_dir, exclusively=store._writer.exclusively).prune(
        grace=f"@{int(time.time()) + 5}"
    )
    objects = git(store.root, "cat-file", "--batch-all-objects", "--batch-check")
    assert update.new not in objects
    assert_sound(store.root)
    put(store, {"b.json": b"{}\n"})


def test_what_a_push_has_left_apart_is_swept_once_no_push_can_be_at_it(store: GitStore) -> None:
    old, young = (store.git_dir / f"objects/tmp_objdir-incoming-{name}/pack" for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "tmp_pack_1").write_bytes(b"PACK")
    for place in (old.parent, old, old / "tmp_pack_1", young.parent, young):
        os.utime(place, (0, 0))
    Maintenance(store.root, store.git_dir, push_s=60).sweep()
    assert not old.parent.exists()
    assert young.exists()


def stored_long_ago(store: GitStore, clone: Path) -> RefUpdate:
    """Bring commits that nothing reaches any more, old enough to be dropped."""
    update = brought(store, clone)
    for mark in (store.git_dir / "objects/pack").glob("*.keep"):
        mark.unlink()
    for place in (store.git_dir / "objects").rglob("*"):
        os.utime(place, (0, 0))
    store.pushes.note_leftovers()
    return update


def test_main_does_not_move_to_what_maintenance_has_dropped(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    update = stored_long_ago(store, clone)
    Landing(store.pushes, update, PUSHER)  # what it has read is cached
    head = store.snapshot().commit_id
    store._maintenance.prune()
    with pytest.raises(PushRefused, match="gone"):
        store.pushes.land(update, PUSHER)
    assert git(store.root, "rev-parse", "main") == head
    assert_sound(store.root)


def test_maintenance_drops_nothing_while_a_push_lands(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    update = stored_long_ago(store, clone)
    store.pushes.turns = LandingTurns(turn_s=0.05)
    maintenance = Maintenance(
        store.root, store.git_dir, exclusively=store._writer.exclusively, drop=store.pushes.turns.drop
    )

    def refused(changes: object, before: object) -> list[Violation]:
        maintenance.prune()
        return []

    outcome = store.pushes.land(update, Pusher(ANONYMOUS, refused, EVERY_REF))
    assert outcome.commit_id == git(store.root, "rev-parse", "main") == update.new
    assert_sound(store.root)
    assert (store.git_dir / "configsvc" / LEFTOVERS).exists()


def test_a_landing_waits_no_longer_than_it_may_for_maintenance(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    update = brought(store, clone)
    turns = store.pushes.turns = LandingTurns(turn_s=0.05)
    refusals: list[GitBusy] = []

    def land() -> None:
        with pytest.raises(GitBusy, match="try again") as caught:
            store.pushes.land(update, PUSHER)
        refusals.append(caught.value)

    assert turns.drop(land)
    assert refusals
    assert store.pushes.land(update, PUSHER).changed


def test_a_landing_that_does_not_begin_in_time_is_refused_and_never_begins(
    store: GitStore, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    update = brought(store, clone)
    monkeypatch.setattr(pushes, "LANDING_TIMEOUT_S", 0.05)

    def land() -> None:
        with pytest.raises(GitBusy, match="nothing was"):
            store.pushes.land(update, PUSHER)

    store._writer.exclusively(land)
    put(store, {"c.json": b"{}\n"})
    assert set(store.snapshot().services()) == {"a", "c"}


def test_a_landing_that_outlasts_its_time_is_told_as_unknown(
    store: GitStore, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    update = brought(store, clone)
    told = threading.Event()
    monkeypatch.setattr(pushes, "LANDING_TIMEOUT_S", 0.5)
    monkeypatch.setattr(store._writer._steps, "_on_step", lambda step: told.wait(WAIT_S))
    with pytest.raises(OutcomeUnknown, match="fetch, then see"):
        store.pushes.land(update, PUSHER)
    told.set()
    put(store, {"c.json": b"{}\n"})
    assert set(store.snapshot().services()) == {"a", "b", "c"}
