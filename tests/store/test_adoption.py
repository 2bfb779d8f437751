"""`main` is moved by the writer alone; what moves it all the same is adopted, or stops writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configsvc.store import adoption
from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import NO_HOOKS, commit_files, git, put, run_git, wait_until

pytestmark = pytest.mark.slow


def test_a_failure_that_may_pass_does_not_condemn_a_move_of_main(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        failing = [OSError(5, "Input/output error")]
        real = adoption.make_durable

        def once(*arguments: Any, **more: Any) -> None:
            if failing:
                raise failing.pop()
            real(*arguments, **more)

        monkeypatch.setattr(adoption, "make_durable", once)
        commit_files(root, {"b.json": "{}"})
        wait_until(lambda: not failing)
        assert put(store, {"c.json": b"1"}).revision == 4


@pytest.mark.parametrize(
    "command",
    [
        ["commit", "--allow-empty", "-m", "x"],
        ["commit", "--no-verify", "--allow-empty", "-m", "x"],
        ["update-ref", "refs/heads/main", "HEAD~1"],
        ["update-ref", "-d", "refs/heads/main"],
        ["branch", "-f", "other", "HEAD"],
        ["reset", "--soft", "HEAD~1"],
        ["branch", "-m", "main", "renamed"],
    ],
    ids=" ".join,
)
def test_git_cannot_move_main_but_may_move_other_branches(root: Path, command: list[str]) -> None:
    with GitStore.open(root) as store:
        head = put(store, {"a.json": b"1"}).commit_id
        assert store.flush()
        done = run_git(root, *command)
        assert (done.returncode == 0) is (command[0] == "branch" and "other" in command)
        if done.returncode:
            assert b"configsvc commit" in done.stderr
        assert git(root, "rev-parse", "refs/heads/main") == head


def test_git_may_reset_the_working_tree_to_main(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        assert store.flush()
        (root / "a.json").write_text("mine")
        git(root, "reset", "-q", "--hard")
        assert (root / "a.json").read_bytes() == b"1"


def test_a_commit_made_past_the_hook_is_adopted_when_it_builds_on_main(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        moved = commit_files(root, {"a.json": "2", "b.json": "{}"}, "By hand")
        outcome = put(store, {"c.json": b"1"})
        assert outcome.revision == 4
        assert git(root, "rev-parse", f"{outcome.commit_id}^") == moved
        entry = store.snapshot().find("a")
        assert entry is not None
        assert (entry.version, entry.revision) == (1, 3)
        assert store.status().problems == {}
        assert store.flush()
        assert git(root, "status", "--porcelain") == ""


def test_an_idle_store_notices_that_main_moved(root: Path) -> None:
    with GitStore.open(root) as store:
        moved = commit_files(root, {"b.json": "{}"})
        wait_until(lambda: store.snapshot().commit_id == moved)


def test_history_that_does_not_build_on_main_stops_writes_until_it_is_put_right(root: Path) -> None:
    with GitStore.open(root) as store:
        first = put(store, {"a.json": b"1"}).commit_id
        good = put(store, {"a.json": b"2"}).commit_id
        git(root, *NO_HOOKS, "update-ref", "refs/heads/main", first)
        with pytest.raises(Exception, match="update-ref refs/heads/main") as caught:
            put(store, {"a.json": b"3"})
        assert getattr(caught.value, "code", None) == "diverged"
        assert store.snapshot().commit_id == good
        assert store.snapshot().read("a.json") == b"2"
        assert "diverged" in store.status().problems
        git(root, *NO_HOOKS, "update-ref", "refs/heads/main", good)
        assert put(store, {"a.json": b"3"}).versions[0].version == 2
        assert store.status().problems == {}


def test_a_foxtrot_merge_is_not_adopted(root: Path) -> None:
    with GitStore.open(root) as store:
        base = put(store, {"a.json": b"1"}).commit_id
        head = put(store, {"b.json": b"1"}).commit_id
        tree = git(root, "rev-parse", f"{head}^{{tree}}")
        side = git(root, "commit-tree", tree, "-p", base, "-m", "side")
        foxtrot = git(root, "commit-tree", tree, "-p", side, "-p", head, "-m", "foxtrot")
        git(root, *NO_HOOKS, "update-ref", "refs/heads/main", foxtrot)
        wait_until(lambda: "diverged" in store.status().problems)
        assert store.snapshot().commit_id == head


def test_a_deleted_main_stops_writes_and_reads_go_on(root: Path) -> None:
    with GitStore.open(root) as store:
        head = put(store, {"a.json": b"1"}).commit_id
        (root / ".git/refs/heads/main").unlink()
        wait_until(lambda: "diverged" in store.status().problems)
        assert store.snapshot().read("a.json") == b"1"
        (root / ".git/refs/heads/main").write_text(head + "\n")
        assert put(store, {"a.json": b"2"}).revision == 3
