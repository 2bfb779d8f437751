from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from configsvc.core.errors import OutcomeUnknown, RepositoryUnusable, WriteFailed
from configsvc.store.diagnosis import diagnose
from configsvc.store.gitstore import GitStore
from configsvc.store.repository import SETTINGS
from tests.store.gitrepo import NO_HOOKS, assert_sound, commit_files, git, new_repository, put, wait_until
from tests.store.test_packs import FullDisk

pytestmark = pytest.mark.slow


def all_versions(store: GitStore) -> dict[str, list[object]]:
    snapshot = store.snapshot()
    return {service: list(snapshot.entries(service)) for service in snapshot.services()}


def test_each_write_is_one_commit_with_its_author_and_message(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"nginx.json": b"{}\n"})
        put(store, {"payments/api.yaml": b"a: 1\n"})
    log = git(root, "log", "--name-only", "--format=%an <%ae>|%cn|%s", "-2")
    assert log.split("\n") == [
        "anonymous <anonymous@configsvc.invalid>|configsvc|Change",
        "",
        "payments/api.yaml",
        "anonymous <anonymous@configsvc.invalid>|configsvc|Change",
        "",
        "nginx.json",
    ]
    assert_sound(root)
    assert git(root, "status", "--porcelain") == ""
    assert (root / "payments/api.yaml").read_bytes() == b"a: 1\n"


def test_a_reopened_store_is_the_same_with_and_without_its_saved_index(root: Path) -> None:
    with GitStore.open(root) as store:
        for n in range(5):
            put(store, {"a.json": b"%d" % n, f"s{n}.json": b"1"})
        put(store, {"a.json": None})
        before, revision = all_versions(store), store.snapshot().revision
    with GitStore.open(root) as store:
        assert (all_versions(store), store.snapshot().revision) == (before, revision)
    (root / ".git/configsvc/versions").unlink()
    with GitStore.open(root) as store:
        assert (all_versions(store), store.snapshot().revision) == (before, revision)


@pytest.mark.parametrize("content", [b"", b"\0" * 4000, b"configsvc-versions-1\n\xff\xff\xff\xff"])
def test_a_corrupt_version_index_is_rebuilt(root: Path, content: bytes) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        before = all_versions(store)
    (root / ".git/configsvc/versions").write_bytes(content)
    with GitStore.open(root) as store:
        assert all_versions(store) == before


def test_an_index_saved_for_a_head_that_is_no_longer_on_main_is_rebuilt(root: Path) -> None:
    with GitStore.open(root) as store:
        first = put(store, {"a.json": b"1"}).commit_id
        put(store, {"b.json": b"1"})
    git(root, *NO_HOOKS, "reset", "-q", "--hard", first)
    commit_files(root, {"c.json": "{}"})
    with GitStore.open(root) as store:
        assert list(store.snapshot().services()) == ["a", "c"]
        assert store.snapshot().revision == 3


def test_a_ref_that_another_process_locks_for_long_leaves_no_packs_behind(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        packs = sorted((root / ".git/objects/pack").iterdir())
        lock = root / ".git/refs/heads/main.lock"
        lock.touch()
        with pytest.raises(WriteFailed, match="locked by another process"):
            put(store, {"a.json": b"2"})
        assert sorted((root / ".git/objects/pack").iterdir()) == packs
        lock.unlink()
        assert put(store, {"a.json": b"2"}).revision == 3


def test_the_settings_and_the_hook_are_pinned_again_at_each_start(root: Path) -> None:
    GitStore.open(root).close()
    git(root, "config", "gc.auto", "6700")
    git(root, "config", "--add", "core.fsync", "none")
    (root / ".git/configsvc/hooks/reference-transaction").write_text("#!/bin/sh\nexit 0\n")
    GitStore.open(root).close()
    for name, value in SETTINGS.items():
        assert git(root, "config", "--get-all", name) == value
    hook = root / ".git/configsvc/hooks/reference-transaction"
    assert git(root, "config", "core.hooksPath") == str(hook.parent)
    assert stat.S_IMODE(hook.stat().st_mode) & 0o111


@pytest.mark.parametrize("nth", range(9))
def test_a_full_disk_leaves_the_old_state_or_the_new_and_writes_go_on_after(root: Path, nth: int) -> None:
    GitStore.open(root).close()
    disk = FullDisk(10_000)
    with GitStore.open(root, disk=disk) as store:
        put(store, {"a.json": b"1"})
        disk.left = nth
        failure: Exception | None = None
        try:
            put(store, {"a.json": b"2"})
        except (WriteFailed, OutcomeUnknown) as error:
            failure = error
        seen = store.snapshot().read("a.json")
        assert seen == (b"2" if failure is None else b"1")
        if failure is not None:
            wait_until(lambda: store.status().problems != {})
        disk.left = 10_000
        outcome = put(store, {"b.json": b"1"})
        landed = store.snapshot().read("a.json") == b"2"
        assert landed or not isinstance(failure, OutcomeUnknown)
        assert outcome.revision == (4 if landed else 3)
        assert store.status().problems == {}
        assert store.flush()
    assert git(root, "status", "--porcelain") == ""
    assert_sound(root)


def test_an_unknown_outcome_is_settled_without_another_write(root: Path) -> None:
    GitStore.open(root).close()
    disk = FullDisk(10_000)
    with GitStore.open(root, disk=disk) as store:
        disk.left = 7
        with pytest.raises(OutcomeUnknown):
            put(store, {"a.json": b"1"}, request_id="r", digest="d")
        disk.left = 10_000
        wait_until(lambda: store.snapshot().read("a.json") == b"1")
        assert put(store, {"a.json": b"1"}, request_id="r", digest="d").revision == 2


def test_the_clock_may_step_back_without_history_running_backwards(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from configsvc.store import batch

    assert batch.commit_time(1000.9, 0) == 1000
    assert batch.commit_time(1000.0, 4000) == 4000
    assert batch.commit_time(1000.0, 1000 + batch.MAX_CLOCK_LEAD_S + 1) == 1000
    assert batch.commit_time(-5.0, 0) == 0


def test_a_repository_is_opened_at_exactly_the_folder_given(root: Path) -> None:
    GitStore.open(root).close()
    inside = root / "inside"
    inside.mkdir()
    (inside / "x.txt").write_text("1")
    with pytest.raises(RepositoryUnusable, match=r"no .git folder of its own"):
        GitStore.open(inside)


@pytest.mark.parametrize("kind", ["file", "bare", "unborn", "other branch"])
def test_what_cannot_be_a_store_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "odd"
    if kind == "file":
        root.write_text("x")
    elif kind == "bare":
        git(tmp_path, "init", "-q", "--bare", "-b", "main", str(root))
    elif kind == "unborn":
        new_repository(root)
    else:
        git(tmp_path, "init", "-q", "-b", "trunk", str(root))
        commit_files(root, {"a.json": "{}"})
    with pytest.raises(RepositoryUnusable, match=r"expected: "):
        GitStore.open(root)


def test_a_readme_that_is_there_becomes_part_of_the_first_commit(root: Path) -> None:
    root.mkdir()
    (root / "README.md").write_text("Hello\n")
    GitStore.open(root).close()
    assert git(root, "ls-tree", "-r", "--name-only", "main").split() == [".gitattributes", "README.md"]
    assert git(root, "status", "--porcelain") == ""
    assert (root / "README.md").read_text() == "Hello\n"


def test_a_file_that_becomes_a_folder_leaves_the_working_tree_clean(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"tools": b"1"})
        assert store.flush()
        put(store, {"tools": None, "tools/x.json": b"{}\n"})
        assert store.flush()
        assert git(root, "status", "--porcelain") == ""
        put(store, {"tools": b"2", "tools/x.json": None})
        assert store.flush()
    assert git(root, "status", "--porcelain") == ""


def test_a_cat_file_that_was_killed_is_replaced(root: Path) -> None:
    with GitStore.open(root, cache_bytes=0) as store:
        put(store, {"a.json": b"1"})
        snapshot = store.snapshot()
        assert snapshot.read("a.json") == b"1"
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _is_cat_file_of(entry, root):
                os.kill(int(entry.name), 9)
        assert snapshot.read("a.json") == b"1"


def test_a_shallow_clone_is_refused_and_served_once_its_history_is_whole(root: Path, tmp_path: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"nginx.json": b"{}\n"})
    git(tmp_path, "clone", "-q", "--depth=1", root.as_uri(), "clone")
    clone = tmp_path / "clone"
    with pytest.raises(RepositoryUnusable, match="git fetch --unshallow"):
        GitStore.open(clone)
    assert any("shallow" in finding.message for finding in diagnose(clone))
    git(clone, "fetch", "-q", "--unshallow")
    with GitStore.open(clone) as store:
        assert store.snapshot().revision == 2


def _is_cat_file_of(process: Path, root: Path) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
        return b"cat-file" in command and (process / "cwd").resolve() == root.resolve()
    except OSError:
        return False
