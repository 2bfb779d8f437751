"""What a person does in the working tree stays, whatever the service writes meanwhile."""

from __future__ import annotations

import pytest

from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import NO_HOOKS, git, run_git
from tests.store.treelab import MINE, V0, V1, V2, V3, Lab

pytestmark = pytest.mark.slow


def test_a_persons_edit_stays_and_is_reported(lab: Lab, any_tree: WorkTree) -> None:
    lab.write("nginx.json", MINE)
    lab.follow(any_tree, {"nginx.json": V2, "other.json": V1})
    assert lab.read("nginx.json") == MINE
    assert any_tree.edited() == {"nginx.json": "edited"}
    assert lab.status() == " M nginx.json"
    assert lab.staged("nginx.json") == V2


def test_an_edit_of_a_service_that_nobody_writes_is_found_by_the_next_comparison(
    lab: Lab, tree: WorkTree
) -> None:
    lab.write("nginx.json", MINE)
    (lab.root / "other.json").unlink()
    assert tree.reconcile()
    assert tree.edited() == {"nginx.json": "edited", "other.json": "deleted"}


@pytest.mark.parametrize("back", [V0, V1, V2])
def test_an_edit_taken_back_to_any_version_is_over(lab: Lab, tree: WorkTree, back: str) -> None:
    lab.write("nginx.json", MINE)
    lab.follow(tree, {"nginx.json": V2})
    lab.write("nginx.json", back)
    assert tree.reconcile()
    assert lab.read("nginx.json") == V2
    assert tree.edited() == {}
    lab.assert_clean()


def test_an_edit_of_a_service_deleted_meanwhile_stays(lab: Lab, any_tree: WorkTree) -> None:
    lab.write("nginx.json", MINE)
    lab.follow(any_tree, {"nginx.json": None})
    assert lab.read("nginx.json") == MINE
    assert any_tree.edited() == {"nginx.json": "edited here, deleted at head"}
    assert lab.status() == "?? nginx.json"


def test_a_staged_change_stays_staged(lab: Lab, tree: WorkTree) -> None:
    lab.write("nginx.json", MINE)
    git(lab.root, "add", "nginx.json")
    lab.follow(tree, {"nginx.json": V2, "other.json": V1})
    assert lab.status() == "M  nginx.json"
    assert lab.staged("nginx.json") == MINE
    assert tree.edited() == {"nginx.json": "staged, edited"}
    assert tree.reconcile()
    assert lab.staged("nginx.json") == MINE


def test_a_half_staged_file_stays_half_staged(lab: Lab, tree: WorkTree) -> None:
    lab.write("nginx.json", MINE)
    git(lab.root, "add", "nginx.json")
    lab.write("nginx.json", MINE + MINE)
    lab.follow(tree, {"nginx.json": V2})
    assert lab.status() == "MM nginx.json"
    assert lab.staged("nginx.json") == MINE
    assert lab.read("nginx.json") == MINE + MINE


def test_a_staged_change_whose_file_was_put_back_stays_staged(lab: Lab, tree: WorkTree) -> None:
    lab.write("nginx.json", MINE)
    git(lab.root, "add", "nginx.json")
    lab.write("nginx.json", V1)
    lab.follow(tree, {"nginx.json": V2})
    assert lab.staged("nginx.json") == MINE
    assert lab.read("nginx.json") == V2
    assert tree.edited() == {"nginx.json": "staged"}


def test_a_staged_addition_stays_and_is_reported(lab: Lab, tree: WorkTree) -> None:
    lab.write("mine.json", MINE)
    git(lab.root, "add", "mine.json")
    lab.follow(tree, {"nginx.json": V2})
    assert tree.reconcile()
    assert lab.status() == "A  mine.json"
    assert tree.edited() == {"mine.json": "staged, added"}


def test_an_untracked_file_is_no_edit(lab: Lab, tree: WorkTree) -> None:
    lab.write("mine.json", MINE)
    assert tree.reconcile()
    assert tree.edited() == {}
    assert lab.read("mine.json") == MINE


def test_a_file_marked_by_add_n_stays_marked(lab: Lab, tree: WorkTree) -> None:
    lab.write("mine.json", MINE)
    git(lab.root, "add", "-N", "mine.json")
    lab.follow(tree, {"nginx.json": V2, "mine.json": V0})
    assert lab.read("mine.json") == MINE
    assert tree.edited() == {"mine.json": "marked by git add -N, edited"}
    assert "mine.json" in git(lab.root, "diff", "--name-only")


def test_an_untracked_file_in_the_way_of_a_new_service_stays(lab: Lab, any_tree: WorkTree) -> None:
    lab.write("new.json", MINE)
    lab.follow(any_tree, {"new.json": V0})
    assert lab.read("new.json") == MINE
    assert any_tree.edited() == {"new.json": "edited"}
    assert lab.status() == " M new.json"
    git(lab.root, "checkout", "--", "new.json")
    assert any_tree.reconcile()
    lab.assert_clean()


def test_an_untracked_file_with_the_new_content_is_taken_as_it_is(lab: Lab, tree: WorkTree) -> None:
    lab.write("new.json", V0)
    inode = (lab.root / "new.json").stat().st_ino
    lab.follow(tree, {"new.json": V0})
    assert (lab.root / "new.json").stat().st_ino == inode
    lab.assert_clean()


def test_a_deleted_file_stays_deleted(lab: Lab, tree: WorkTree) -> None:
    (lab.root / "nginx.json").unlink()
    lab.follow(tree, {"nginx.json": V2})
    assert tree.reconcile()
    assert lab.status() == " D nginx.json"
    assert tree.edited() == {"nginx.json": "deleted"}


@pytest.mark.parametrize("options", [(), ("--cached",)], ids=["git rm", "git rm --cached"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_staged_deletion_stays_staged(
    lab: Lab, tree: WorkTree, options: tuple[str, ...], restarted: bool
) -> None:
    git(lab.root, "rm", "-q", *options, "nginx.json")
    lab.follow(tree, {"nginx.json": V2, "other.json": V1})
    if restarted:
        tree = lab.worktree()
    assert tree.reconcile()
    assert tree.edited() == {"nginx.json": "deletion staged"}
    assert "D  nginx.json" in lab.status().split("\n")
    assert (lab.root / "nginx.json").exists() == bool(options)
    git(lab.root, "reset", "-q", "--", "nginx.json")
    git(lab.root, "checkout", "--", "nginx.json")
    assert tree.reconcile()
    lab.assert_clean()


def test_a_deletion_staged_while_nothing_ran_stays_staged(lab: Lab) -> None:
    git(lab.root, "rm", "-q", "other.json")
    lab.land({"nginx.json": V2})
    tree = lab.worktree()
    assert tree.edited() == {"other.json": "deletion staged"}
    assert lab.status() == "D  other.json"


def test_a_staged_deletion_is_forgotten_with_its_service(lab: Lab, tree: WorkTree) -> None:
    git(lab.root, "rm", "-q", "nginx.json")
    lab.follow(tree, {"nginx.json": None})
    assert tree.edited() == {}
    lab.follow(tree, {"nginx.json": V3})
    lab.assert_clean()


def test_a_stash_goes_and_comes_back(lab: Lab, tree: WorkTree) -> None:
    lab.write("nginx.json", MINE)
    git(lab.root, "stash")
    lab.follow(tree, {"other.json": V1})
    lab.assert_clean()
    git(lab.root, "stash", "pop")
    assert tree.reconcile()
    assert tree.edited() == {"nginx.json": "edited"}
    assert lab.status() == " M nginx.json"


def test_a_merge_conflict_stays(lab: Lab, tree: WorkTree) -> None:
    git(lab.root, "branch", "theirs", "HEAD~1")
    environment = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    git(lab.root, "checkout", "-q", "theirs")
    lab.write("nginx.json", MINE)
    git(lab.root, *environment, *NO_HOOKS, "commit", "-qam", "Theirs")
    git(lab.root, "checkout", "-q", "main")
    assert run_git(lab.root, "merge", "theirs").returncode == 1
    conflicted = lab.read("nginx.json")
    lab.follow(tree, {"nginx.json": V2, "other.json": V1})
    assert tree.reconcile()
    assert lab.status() == "UU nginx.json"
    assert lab.read("nginx.json") == conflicted
    assert tree.edited() == {"nginx.json": "in a merge conflict, edited"}
    assert lab.read("other.json") == V1


def test_assume_unchanged_and_sparse_files_keep_their_flags(lab: Lab, tree: WorkTree) -> None:
    git(lab.root, "update-index", "--assume-unchanged", "nginx.json")
    git(lab.root, "update-index", "--skip-worktree", "other.json")
    (lab.root / "other.json").unlink()
    lab.follow(tree, {"nginx.json": V2, "other.json": V1})
    assert git(lab.root, "ls-files", "-v", "nginx.json", "other.json").split("\n") == [
        "h nginx.json",
        "S other.json",
    ]
    assert not (lab.root / "other.json").exists()
    assert tree.edited() == {}
    assert lab.status() == ""


def test_an_executable_bit_set_by_hand_is_taken_back(lab: Lab, tree: WorkTree) -> None:
    (lab.root / "nginx.json").chmod(0o755)
    assert tree.reconcile()
    lab.assert_clean()
