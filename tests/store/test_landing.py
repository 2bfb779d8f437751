"""How a push lands when things happen between its judgement and its landing."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.core.changes import ANONYMOUS, Outcome
from configsvc.core.errors import OutcomeUnknown, PushRefused
from configsvc.core.reports import Violation
from configsvc.settings import Settings
from configsvc.store.gitstore import GitStore
from configsvc.store.log import Fate
from configsvc.store.pushes import MAX_HANDED_BACK, Landing
from configsvc.store.pushtypes import EVERY_REF, Pusher
from tests.store.gitrepo import WAIT_S, assert_sound, commit_files, git, put
from tests.store.pushlab import PUSHER, brought, landed

pytestmark = pytest.mark.slow


def test_a_write_between_judgement_and_landing_makes_it_a_merge(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    update = brought(store, clone)
    landing = Landing(store.pushes, update, PUSHER)
    before = put(store, {"c.json": b"{}\n"}).commit_id
    commit_id = landed(store, landing)
    assert git(store.root, "rev-parse", f"{commit_id}^1", f"{commit_id}^2").split() == [before, update.new]
    assert git(store.root, "log", "-1", "--format=%an", commit_id) == "Ann"


def test_two_pushes_that_were_judged_on_the_same_head_both_land(
    store: GitStore, clone: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", f"file://{store.root}", "other")
    commit_files(clone, {"b.json": "{}\n"})
    commit_files(tmp_path / "other", {"c.json": "{}\n"})
    landings = [Landing(store.pushes, brought(store, each), PUSHER) for each in (clone, tmp_path / "other")]
    futures = [store._writer.submit_landing(landing.land) for landing in landings]
    revisions = [future.result(WAIT_S).revision for future in futures]
    assert revisions == [3, 4]
    assert set(store.snapshot().services()) == {"a", "b", "c"}
    assert_sound(store.root)


def test_a_plain_push_to_main_is_refused_when_main_moves_meanwhile(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"b.json": "{}\n"})
    landing = Landing(store.pushes, brought(store, clone, "refs/heads/main"), PUSHER)
    put(store, {"c.json": b"{}\n"})
    with pytest.raises(PushRefused, match="refs/for/main"):
        landed(store, landing)


def test_an_overlap_that_comes_meanwhile_is_refused_with_its_name(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"a.json": '{"mine": 1}\n'})
    landing = Landing(store.pushes, brought(store, clone), PUSHER)
    put(store, {"a.json": b'{"theirs": 1}\n'})
    with pytest.raises(PushRefused, match=r"a\.json: changed on main meanwhile too"):
        landed(store, landing)


def test_another_format_of_the_same_service_is_an_overlap(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"new.json": "{}\n"})
    landing = Landing(store.pushes, brought(store, clone), PUSHER)
    put(store, {"new.yaml": b"a: 1\n"})
    with pytest.raises(PushRefused, match=r"new\.json: changed on main meanwhile too"):
        landed(store, landing)


def test_a_file_where_a_folder_came_meanwhile_is_refused(store: GitStore, clone: Path) -> None:
    commit_files(clone, {"notes": "x\n"})
    landing = Landing(store.pushes, brought(store, clone), PUSHER)
    put(store, {"notes/a.json": b"{}\n"})
    with pytest.raises(PushRefused, match="folder"):
        landed(store, landing)


def test_rules_that_change_meanwhile_are_asked_again(store: GitStore, clone: Path) -> None:
    asked: list[int] = []

    def refused(changes: object, before: object) -> list[Violation]:
        asked.append(1)
        return [Violation("b.json", "not any more")] if len(asked) > 1 else []

    commit_files(clone, {"b.json": "{}\n"})
    landing = Landing(store.pushes, brought(store, clone), Pusher(ANONYMOUS, refused, EVERY_REF))
    put(store, {".configsvc/services/a.yaml": b"enabled: false\n"})
    with pytest.raises(PushRefused, match="not any more"):
        landed(store, landing)


SCHEMA = '{"properties": {"n": {"type": "integer"}}}\n'


@pytest.mark.parametrize(
    ("pushed", "written"),
    [
        ((".configsvc/schemas/a.json", SCHEMA), ("a.json", b'{"n": "text"}\n')),
        (("b.json", '{"n": "text"}\n'), (".configsvc/schemas/b.json", SCHEMA.encode())),
    ],
    ids=["the schema is pushed", "the schema is written"],
)
def test_a_document_that_violates_a_schema_that_comes_meanwhile_does_not_land(
    store: GitStore, clone: Path, pushed: tuple[str, str], written: tuple[str, bytes]
) -> None:
    commit_files(clone, dict([pushed]))
    landing = Landing(store.pushes, brought(store, clone), PUSHER)
    put(store, dict([written]))
    with pytest.raises(PushRefused, match="integer"):
        landed(store, landing)


def test_a_push_that_is_to_be_judged_again_is_not_judged_in_the_writers_turn(
    store: GitStore, clone: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", f"file://{store.root}", "other")
    commit_files(clone, {"b.json": "{}\n"})
    commit_files(tmp_path / "other", {"c.json": "{}\n"})
    judging: list[str] = []

    def refused(changes: object, before: object) -> list[Violation]:
        judging.append(threading.current_thread().name)
        if len(judging) == 1:
            store.pushes.land(other, PUSHER)
        return []

    other = brought(store, tmp_path / "other")
    outcome = store.pushes.land(brought(store, clone), Pusher(ANONYMOUS, refused, EVERY_REF))
    assert outcome.commit_id == git(store.root, "rev-parse", "main")
    assert judging == [threading.current_thread().name] * 2
    assert set(store.snapshot().services()) == {"a", "b", "c"}


def test_a_push_that_is_overtaken_again_and_again_lands_all_the_same(store: GitStore, clone: Path) -> None:
    judging: list[str] = []

    def refused(changes: object, before: object) -> list[Violation]:
        judging.append(threading.current_thread().name)
        if threading.current_thread() is threading.main_thread():
            put(store, {".configsvc/services/a.yaml": b"owner: o%d\n" % len(judging)})
        return []

    commit_files(clone, {"b.json": "{}\n"})
    store.pushes.land(brought(store, clone), Pusher(ANONYMOUS, refused, EVERY_REF))
    assert len(judging) == MAX_HANDED_BACK + 2
    assert judging[-1] == "configsvc-writer"
    assert set(store.snapshot().services()) == {"a", "b"}


def test_a_push_that_is_put_off_is_not_told_of_the_batch_it_was_not_in(
    store: GitStore, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", f"file://{store.root}", "other")
    commit_files(clone, {"b.json": "{}\n"})
    commit_files(tmp_path / "other", {"c.json": "{}\n"})
    landings = [Landing(store.pushes, brought(store, each), PUSHER) for each in (clone, tmp_path / "other")]
    append, fates = store._writer._log.append, [Fate.UNKNOWN]
    monkeypatch.setattr(store._writer._log, "append", lambda batch: fates.pop() if fates else append(batch))
    futures: list[Future[Outcome]] = []
    store._writer.exclusively(
        lambda: futures.extend(store._writer.submit_landing(landing.land) for landing in landings)
    )
    with pytest.raises(OutcomeUnknown):
        futures[0].result(WAIT_S)
    assert futures[1].result(WAIT_S).changed
    assert set(store.snapshot().services()) == {"a", "c"}


def test_a_landing_is_there_after_a_restart(tmp_path: Path) -> None:
    settings = Settings(repo=tmp_path / "repo")
    with open_instance(settings) as instance:
        store = instance.store
        git(tmp_path, "clone", "-q", f"file://{store.root}", "clone")
        commit_files(tmp_path / "clone", {"b.json": "{}\n"})
        outcome = store.pushes.land(brought(store, tmp_path / "clone"), PUSHER)
    with open_instance(settings) as instance:
        store = instance.store
        assert store.snapshot().commit_id == outcome.commit_id
        assert store.snapshot().find("b") is not None
