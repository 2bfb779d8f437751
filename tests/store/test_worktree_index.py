"""Git's index, which the service patches and which git's own commands use at any time."""

from __future__ import annotations

import os
import resource

import pytest

from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import assert_sound, git
from tests.store.treelab import MINE, V0, V1, V2, V3, Lab

pytestmark = pytest.mark.slow


def test_an_index_that_cannot_be_written_leaves_the_old_one(lab: Lab, tree: WorkTree) -> None:
    tree.update(lab.land({"nginx.json": V2}))
    before = (lab.git_dir / "index").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        assert not tree.write_index()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (lab.git_dir / "index").read_bytes() == before
    assert not (lab.git_dir / "index.lock").exists()
    assert "could not be written" in tree.notes()["index"]
    assert tree.write_index()
    assert tree.notes() == {}
    lab.assert_clean()


def test_a_held_index_lock_is_waited_for_and_never_removed(lab: Lab) -> None:
    now = [0.0]
    tree = lab.worktree(clock=lambda: now[0])
    lock = lab.git_dir / "index.lock"
    lock.write_bytes(b"")
    tree.update(lab.land({"nginx.json": V2}))
    assert not tree.write_index()
    assert tree.notes() == {}
    now[0] = 11.0
    assert not tree.write_index()
    assert "held by another process for 11 s" in tree.notes()["index"]
    assert lock.exists()
    lock.unlink()
    assert tree.write_index()
    assert tree.notes() == {}
    lab.assert_clean()


def test_what_is_staged_between_update_and_index_survives(lab: Lab, tree: WorkTree) -> None:
    tree.update(lab.land({"nginx.json": V2}))
    lab.write("other.json", MINE)
    git(lab.root, "add", "other.json")
    assert tree.write_index()
    assert lab.staged("other.json") == MINE
    assert lab.status() == "M  other.json"


def test_an_edit_in_the_second_of_the_index_is_not_hidden_by_a_later_write(lab: Lab, tree: WorkTree) -> None:
    """git trusts times to the second: what it would find by comparing content must not look clean later."""
    git(lab.root, "config", "core.trustctime", "false")
    second = 1_700_000_000 * 10**9
    place, index = lab.root / "other.json", lab.git_dir / "index"
    lab.write("other.json", "mine 1\n")
    os.utime(place, ns=(second, second))
    git(lab.root, "add", "other.json")
    os.utime(index, ns=(second, second))
    lab.write("other.json", "mine 2\n")
    os.utime(place, ns=(second, second))
    assert lab.status() == "MM other.json"
    lab.follow(tree, {"nginx.json": V2})
    assert lab.status() == "MM other.json"
    git(lab.root, "add", "other.json")
    assert lab.staged("other.json") == "mine 2\n"


@pytest.mark.parametrize("command", [("--index-version", "4"), ("--split-index",)])
def test_an_index_that_only_git_can_change_is_changed_by_git(
    lab: Lab, tree: WorkTree, command: tuple[str, ...]
) -> None:
    git(lab.root, "update-index", *command)
    lab.write("other.json", MINE)
    git(lab.root, "add", "other.json")
    lab.follow(tree, {"nginx.json": V2, "new/a.json": V0, "payments/api.yaml": None})
    assert lab.staged("nginx.json") == V2
    assert lab.status() == "M  other.json"
    git(lab.root, "rm", "-qf", "other.json")
    lab.follow(tree, {"other.json": V3, "nginx.json": V3})
    assert lab.status() == "D  other.json"
    (lab.git_dir / "index.lock").touch()
    tree.update(lab.land({"nginx.json": V0}))
    assert not tree.write_index()
    (lab.git_dir / "index.lock").unlink()
    assert tree.reconcile()
    assert lab.status() == "D  other.json"


def test_an_unreadable_index_is_set_aside_and_made_anew(lab: Lab, tree: WorkTree) -> None:
    index = lab.git_dir / "index"
    index.write_bytes(index.read_bytes()[:-1])
    lab.write("other.json", MINE)
    lab.follow(tree, {"nginx.json": V2})
    assert tree.disturbed()
    assert tree.reconcile()
    assert not tree.disturbed()
    assert lab.status() == " M other.json"
    assert len(list((lab.git_dir / "configsvc").glob("index-unreadable-*"))) == 1


def test_a_missing_index_and_missing_files_are_made(lab: Lab) -> None:
    (lab.git_dir / "index").unlink()
    for path in ("nginx.json", "other.json", "payments/api.yaml"):
        (lab.root / path).unlink()
    tree = lab.worktree()
    assert tree.edited() == {}
    lab.assert_clean()


def test_a_repository_without_hard_links_gets_its_index_all_the_same(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    tree = lab.worktree()
    monkeypatch.setattr(os, "link", no_links)
    lab.follow(tree, {"nginx.json": V2})
    (lab.git_dir / "index.lock").touch()
    tree.update(lab.land({"nginx.json": V3}))
    assert not tree.write_index()
    (lab.git_dir / "index.lock").unlink()
    assert tree.write_index()
    lab.assert_clean()


@pytest.mark.parametrize("mode", ["--hard", "--mixed"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_reset_to_an_older_revision_is_repaired(
    lab: Lab, tree: WorkTree, mode: str, restarted: bool
) -> None:
    lab.follow(tree, {"nginx.json": V2, "new/a.json": V0})
    lab.follow(tree, {"other.json": None, "later.json": V0})
    git(lab.root, "read-tree", "HEAD~2")  # as if `git reset` had not been let to move main
    if mode == "--hard":
        git(lab.root, "checkout-index", "-a", "-f", "-u")
        for path in ("new/a.json", "later.json"):
            (lab.root / path).unlink()
    assert tree.disturbed()
    if restarted:
        tree = lab.worktree()
    assert tree.reconcile()
    assert tree.edited() == {}
    assert lab.read("new/a.json") == V0
    assert not (lab.root / "other.json").exists()
    lab.assert_clean()
    assert_sound(lab.root)


def test_writes_between_a_reset_and_its_repair_arrive(lab: Lab, tree: WorkTree) -> None:
    lab.follow(tree, {"nginx.json": V2, "new.json": V0, "quiet.json": V0})
    git(lab.root, "read-tree", "-u", "--reset", "HEAD~1")
    lab.follow(tree, {"new.json": V1})
    lab.follow(tree, {"other.json": V1, "newer.json": V0})
    assert tree.reconcile()
    assert lab.read("new.json") == V1
    assert lab.read("quiet.json") == V0
    assert tree.edited() == {}
    lab.assert_clean()


def test_an_index_emptied_by_hand_says_what_a_person_withdrew(lab: Lab, tree: WorkTree) -> None:
    git(lab.root, "rm", "-rq", "--cached", ".")
    assert tree.reconcile()
    assert set(tree.edited()) == {"README.md", "nginx.json", "other.json", "payments/api.yaml"}
    git(lab.root, "reset", "-q")
    assert tree.reconcile()
    lab.assert_clean()


def test_a_tree_on_another_branch_is_left_alone(lab: Lab, tree: WorkTree) -> None:
    git(lab.root, "checkout", "-q", "-b", "mine", "HEAD~1")
    before = lab.status(), lab.read("nginx.json"), (lab.git_dir / "index").read_bytes()
    assert tree.update(lab.land({"nginx.json": V2})) == frozenset()
    assert tree.write_index()
    assert tree.reconcile()
    assert (lab.status(), lab.read("nginx.json"), (lab.git_dir / "index").read_bytes()) == before
    assert "not on main" in tree.notes()["working-tree-elsewhere"]
    assert not tree.disturbed()
    git(lab.root, "checkout", "-q", "main")
    lab.land({"other.json": V1})
    assert tree.disturbed()
    assert tree.reconcile()
    assert tree.notes() == {}
    lab.assert_clean()


def test_what_was_landed_during_a_short_absence_is_looked_for_though_nothing_else_changed(
    lab: Lab, tree: WorkTree
) -> None:
    git(lab.root, "branch", "mine")
    git(lab.root, "symbolic-ref", "HEAD", "refs/heads/mine")
    tree.update(lab.land({"nginx.json": V2}))
    git(lab.root, "symbolic-ref", "HEAD", "refs/heads/main")
    lab.follow(tree, {"other.json": V1})
    assert tree.disturbed()
    assert tree.reconcile()
    assert not tree.disturbed()
    lab.assert_clean()


def test_a_detached_head_is_left_alone(lab: Lab, tree: WorkTree) -> None:
    git(lab.root, "checkout", "-q", "--detach")
    tree.update(lab.land({"nginx.json": V2}))
    assert lab.read("nginx.json") == V1
    assert "working-tree-elsewhere" in tree.notes()
