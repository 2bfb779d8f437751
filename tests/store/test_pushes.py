"""How a push lands when things happen between its judgement and its landing."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.core.changes import ANONYMOUS, Author, Outcome
from configsvc.core.errors import GitBusy, OutcomeUnknown, PushRefused
from configsvc.core.reports import Violation
from configsvc.core.trees import PathChange
from configsvc.settings import Settings
from configsvc.store import pushes
from configsvc.store.gitstore import GitStore
from configsvc.store.landingturns import LandingTurns
from configsvc.store.log import Fate
from configsvc.store.maintenance import Maintenance
from configsvc.store.pushbounds import MAX_BRANCHES_EACH, MAX_TAGS_EACH, Budget
from configsvc.store.pushes import MAX_HANDED_BACK, Landing
from configsvc.store.pushtypes import EVERY_REF, NO_OBJECT, Pusher, RefRights, RefUpdate
from configsvc.store.repository import LEFTOVERS
from tests.store.gitrepo import assert_sound, commit_files, git, put

pytestmark = pytest.mark.slow

PUSHER = Pusher(Author("Ann", "ann@example.com"), lambda changes, before: (), EVERY_REF)
PLAIN = RefRights(may_propose=True, may_tag=True, is_admin=False)
WAIT_S = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GitStore]:
    with open_instance(Settings(repo=tmp_path / "repo")) as instance:
        put(instance.store, {"a.json": b"{}\n"})
        yield instance.store


@pytest.fixture
def clone(store: GitStore, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", f"file://{store.root}", "clone")
    return tmp_path / "clone"


def brought(store: GitStore, clone: Path, ref: str = "refs/for/main") -> RefUpdate:
    """Bring the objects of a clone's HEAD into the store, as git does before it asks for a landing."""
    git(store.root, "fetch", "-q", "--no-write-fetch-head", "--keep", str(clone), "HEAD")
    return RefUpdate(NO_OBJECT, git(clone, "rev-parse", "HEAD"), ref)


def landed(store: GitStore, landing: Landing) -> str:
    outcome = store._writer.submit_landing(landing.land).result(WAIT_S)
    assert outcome.commit_id == git(store.root, "rev-parse", "main")
    return outcome.commit_id


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


OTHER = "1" * 40


@pytest.mark.parametrize("ref", ["refs/heads/idea", "refs/tags/v1"])
@pytest.mark.parametrize("old", [NO_OBJECT, OTHER])
@pytest.mark.parametrize("deletes", [False, True], ids=["moved", "deleted"])
def test_a_ref_is_held_to_where_it_is_whatever_its_push_says(
    store: GitStore, ref: str, old: str, deletes: bool
) -> None:
    head = store.snapshot().commit_id
    git(store.root, "update-ref", ref, head)
    anyone = Pusher(ANONYMOUS, lambda changes, before: (), PLAIN)
    with pytest.raises(PushRefused, match=ref):
        store.pushes.judge([RefUpdate(old, NO_OBJECT if deletes else head, ref)], "", anyone)


def test_nobody_takes_over_a_proposal_by_saying_that_it_is_new(store: GitStore) -> None:
    head, ref = store.snapshot().commit_id, "refs/heads/idea"

    def pusher(name: str) -> Pusher:
        author = Author(name, f"{name}@example.com")
        return Pusher(author, lambda changes, before: (), PLAIN)

    store.pushes.judge([RefUpdate(NO_OBJECT, head, ref)], "", pusher("ann"))
    git(store.root, "update-ref", ref, head)
    with pytest.raises(PushRefused, match="fetch and try again"):
        store.pushes.judge([RefUpdate(NO_OBJECT, head, ref)], "", pusher("bob"))
    with pytest.raises(PushRefused, match="expected: ann"):
        store.pushes.judge([RefUpdate(head, NO_OBJECT, ref)], "", pusher("bob"))
    store.pushes.judge([RefUpdate(head, NO_OBJECT, ref)], "", pusher("ann"))


@pytest.mark.parametrize(
    ("ref", "rights", "deletes", "refused"),
    [
        ("refs/heads/idea", RefRights(False, False, False), False, "the role writer on something"),
        ("refs/heads/idea", RefRights(True, False, False), False, ""),
        ("refs/tags/v1", RefRights(True, False, False), False, r"the role writer on \*\*"),
        ("refs/tags/v1", RefRights(True, True, False), False, ""),
        ("refs/tags/v1", RefRights(True, True, False), True, "an admin; a tag is written once"),
        ("refs/tags/v1", EVERY_REF, True, ""),
    ],
)
def test_branches_and_tags_are_for_those_who_may_write(
    store: GitStore, ref: str, rights: RefRights, deletes: bool, refused: str
) -> None:
    head = store.snapshot().commit_id
    if deletes:
        git(store.root, "update-ref", ref, head)
    update = RefUpdate(head, NO_OBJECT, ref) if deletes else RefUpdate(NO_OBJECT, head, ref)
    pusher = Pusher(Author("Ann", "ann@example.com"), lambda changes, before: (), rights)
    with pytest.raises(PushRefused, match=refused) if refused else contextlib.nullcontext():
        store.pushes.judge([update], "", pusher)


@pytest.mark.parametrize(("folder", "most"), [("heads", MAX_BRANCHES_EACH), ("tags", MAX_TAGS_EACH)])
def test_one_principal_takes_no_more_than_its_share_of_the_refs(
    store: GitStore, folder: str, most: int
) -> None:
    head = store.snapshot().commit_id
    ann, bob = (Pusher(Author(n, f"{n}@x"), lambda changes, before: (), PLAIN) for n in ("ann", "bob"))
    admin = Pusher(Author("root", "root@x"), lambda changes, before: (), EVERY_REF)

    def made(name: str, count: int) -> list[RefUpdate]:
        return [RefUpdate(NO_OBJECT, head, f"refs/{folder}/{name}{each}") for each in range(count)]

    with pytest.raises(PushRefused, match=f"{most + 1} .* of ann"):
        store.pushes.judge(made("all", most + 1), "", ann)
    store.pushes.judge(made("all", most), "", ann)
    git(
        store.root,
        "update-ref",
        "--stdin",
        stdin="".join(f"create {each.ref} {head}\n" for each in made("all", most)).encode(),
    )
    with pytest.raises(PushRefused, match="delete old ones first"):
        store.pushes.judge(made("more", 1), "", ann)
    store.pushes.judge(made("bobs", 1), "", bob)
    store.pushes.judge(made("admins", most + 1), "", admin)


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
