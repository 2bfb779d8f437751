from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import NO_HOOKS, assert_sound, git, run_git
from tests.store.treelab import Lab

pytestmark = pytest.mark.slow

V0, V1, V2, V3 = '{"v": 0}\n', '{"v": 1}\n', '{"v": 2}\n', '{"v": 3}\n'
MINE = '{"mine": true}\n'


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "repository")
    lab.land({"nginx.json": V0, "payments/api.yaml": "v: 0\n", "other.json": V0})
    lab.follow(lab.worktree(), {"nginx.json": V1})
    lab.assert_clean()
    return lab


@pytest.fixture
def tree(lab: Lab) -> WorkTree:
    return lab.worktree()


@pytest.fixture(params=[True, False], ids=["exchange", "stepwise"])
def any_tree(lab: Lab, request: pytest.FixtureRequest) -> WorkTree:
    """With and without the exchange of two files."""
    return lab.worktree(can_exchange=request.param)


# What the service writes


def test_a_change_arrives_in_files_and_index(lab: Lab, any_tree: WorkTree) -> None:
    lab.follow(any_tree, {"nginx.json": V2, "payments/api.yaml": "v: 1\n"})
    assert lab.read("nginx.json") == V2
    assert lab.read("payments/api.yaml") == "v: 1\n"
    assert any_tree.edited() == {}
    assert any_tree.notes() == {}
    lab.assert_clean()


def test_a_new_service_arrives_with_its_folders(lab: Lab, any_tree: WorkTree) -> None:
    lab.follow(any_tree, {"a/b/c/new.json": V0, ".configsvc/services/a/b/c/new.yaml": "enabled: false\n"})
    assert lab.read("a/b/c/new.json") == V0
    assert (lab.root / "a/b/c/new.json").stat().st_mode & 0o777 == 0o666 & ~_umask()
    lab.assert_clean()


def test_a_deleted_service_takes_its_empty_folders_along(lab: Lab, any_tree: WorkTree) -> None:
    lab.follow(any_tree, {"a/b/c/new.json": V0, "a/kept.json": V0})
    lab.follow(any_tree, {"a/b/c/new.json": None})
    assert sorted(os.listdir(lab.root / "a")) == ["kept.json"]
    lab.assert_clean()


def test_a_folder_with_a_persons_file_stays(lab: Lab, tree: WorkTree) -> None:
    lab.write("payments/notes.txt", "mine\n")
    lab.follow(tree, {"payments/api.yaml": None})
    assert lab.read("payments/notes.txt") == "mine\n"
    assert lab.status() == "?? payments/notes.txt"


def test_a_folder_goes_and_comes_back_within_one_update(lab: Lab, any_tree: WorkTree) -> None:
    lab.follow(any_tree, {"a/b/c/old.json": V0})
    paths = lab.land({"a/b/c/old.json": None, "a/new.json": V0, "a/b/new.json": V1})
    assert any_tree.update(paths) == frozenset()
    assert any_tree.notes() == {}
    assert any_tree.write_index()
    assert lab.read("a/b/new.json") == V1
    lab.assert_clean()


def test_a_service_changes_its_format(lab: Lab, any_tree: WorkTree) -> None:
    lab.follow(any_tree, {"nginx.json": None, "nginx.yaml": "v: 2\n"})
    assert not (lab.root / "nginx.json").exists()
    lab.assert_clean()


def test_a_folder_takes_the_place_of_a_file_and_back(lab: Lab, any_tree: WorkTree) -> None:
    lab.follow(any_tree, {"tools": "a file\n"})
    lab.follow(any_tree, {"tools": None, "tools/x.json": V0})
    lab.assert_clean()
    lab.follow(any_tree, {"tools/x.json": None, "tools": "a file again\n"})
    lab.assert_clean()


def test_a_service_deleted_and_created_again_before_the_index_was_written(lab: Lab, tree: WorkTree) -> None:
    tree.update(lab.land({"nginx.json": None}))
    tree.update(lab.land({"nginx.json": V2}))
    assert tree.write_index()
    assert lab.read("nginx.json") == V2
    assert tree.edited() == {}
    lab.assert_clean()


def test_several_changes_arrive_as_the_last(lab: Lab, tree: WorkTree) -> None:
    paths = (
        lab.land({"nginx.json": V2}) + lab.land({"nginx.json": V3, "x.json": V0}) + lab.land({"x.json": None})
    )
    tree.update(paths)
    tree.write_index()
    assert lab.read("nginx.json") == V3
    lab.assert_clean()


def test_an_executable_file_is_executable(lab: Lab, tree: WorkTree) -> None:
    tree.update(lab.land({"check.sh": "#!/bin/sh\n"}, mode="100755"))
    tree.write_index()
    assert os.access(lab.root / "check.sh", os.X_OK)
    lab.assert_clean()
    tree.update(lab.land({"check.sh": "#!/bin/sh\n"}))
    tree.write_index()
    lab.assert_clean()


def test_a_path_that_leads_out_of_the_tree_is_refused(lab: Lab, tree: WorkTree) -> None:
    """Such a path cannot be committed; if it were, nothing may be written there."""
    lab._heads["../outside.json"] = lab._heads[".git/config"] = lab._heads["nginx.json"]
    assert tree.update(["../outside.json", ".git/config"]) == {"../outside.json", ".git/config"}
    assert not (lab.root.parent / "outside.json").exists()
    assert "expected: one inside the working tree" in tree.notes()["working-files"]


# What a person does in the working tree


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


# What stands in the way


def test_a_symbolic_link_in_place_of_a_file_is_not_followed(lab: Lab, any_tree: WorkTree) -> None:
    outside = lab.root.parent / "outside.json"
    outside.write_text(V1)
    (lab.root / "nginx.json").unlink()
    (lab.root / "nginx.json").symlink_to(outside)
    lab.follow(any_tree, {"nginx.json": V2})
    assert outside.read_text() == V1
    assert (lab.root / "nginx.json").is_symlink()
    assert any_tree.edited() == {"nginx.json": "a symbolic link stands there"}


@pytest.mark.parametrize(
    "edits", [{"payments/api.yaml": "v: 1\n"}, {"payments/api.yaml": None}, {"payments/b.json": V0}]
)
def test_a_symbolic_link_in_place_of_a_folder_is_not_followed(
    lab: Lab, tree: WorkTree, edits: dict[str, str | None]
) -> None:
    outside = lab.root.parent / "outside"
    (lab.root / "payments").rename(outside)
    (lab.root / "payments").symlink_to(outside)
    lab.follow(tree, edits)
    assert os.listdir(outside) == ["api.yaml"]
    assert (outside / "api.yaml").read_text() == "v: 0\n"
    (path,) = edits
    assert tree.edited() == ({path: "payments is no folder there"} if edits[path] is not None else {})


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_something_that_is_no_file_stays(lab: Lab, any_tree: WorkTree, make: Callable[[Path], None]) -> None:
    (lab.root / "nginx.json").unlink()
    make(lab.root / "nginx.json")
    lab.follow(any_tree, {"nginx.json": V2})
    assert "stands there" in any_tree.edited()["nginx.json"]
    lab.follow(any_tree, {"nginx.json": None})
    assert (lab.root / "nginx.json").exists()


def test_a_persons_file_in_place_of_a_folder_stays(lab: Lab, tree: WorkTree) -> None:
    lab.write("team", "mine\n")
    git(lab.root, "add", "team")
    lab.follow(tree, {"team/x.json": V0, "nginx.json": V2})
    assert lab.read("team") == "mine\n"
    assert lab.staged("team") == "mine\n"
    assert "team/x.json" in tree.edited()
    assert lab.read("nginx.json") == V2
    git(lab.root, "rm", "-qf", "team")
    assert tree.reconcile()
    lab.assert_clean()


def test_a_file_open_for_writing_is_left_until_it_is_closed(lab: Lab, any_tree: WorkTree) -> None:
    with (lab.root / "nginx.json").open("r+") as file:
        assert any_tree.update(lab.land({"nginx.json": V2})) == {"nginx.json"}
        assert "written to" in any_tree.edited()["nginx.json"]
        file.write(MINE)
    assert lab.read("nginx.json") == MINE
    lab.write("nginx.json", V1)
    assert any_tree.update(["nginx.json"]) == frozenset()
    assert any_tree.write_index()
    lab.assert_clean()


def test_a_folder_that_may_not_be_written_is_reported_and_tried_again(lab: Lab, any_tree: WorkTree) -> None:
    paths = lab.land({"payments/api.yaml": "v: 1\n", "nginx.json": V2})
    with _unprivileged(lab, "payments"):
        assert any_tree.update(paths) == {"payments/api.yaml"}
        assert any_tree.notes()["working-files"].endswith("such as payments/api.yaml: Permission denied")
        assert lab.read("nginx.json") == V2
    assert any_tree.update(["payments/api.yaml"]) == frozenset()
    assert any_tree.reconcile()  # the owners are other ones again
    assert any_tree.notes() == {}
    lab.assert_clean()


def test_a_full_disk_leaves_the_old_file_whole(lab: Lab, any_tree: WorkTree) -> None:
    paths = lab.land({"nginx.json": "x" * 100_000})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        failed = any_tree.update(paths)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert failed == {"nginx.json"}
    assert lab.read("nginx.json") == V1
    assert lab.leftovers() == []
    assert any_tree.update(failed) == frozenset()
    assert any_tree.write_index()
    lab.assert_clean()


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


# The index and git's own commands


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


# States a crash leaves


def test_a_crash_before_any_file_was_written(lab: Lab) -> None:
    lab.land({"nginx.json": V2, "new/a.json": V0, "other.json": None})
    tree = lab.worktree()
    assert tree.edited() == {}
    lab.assert_clean()


def test_a_crash_between_two_files(lab: Lab) -> None:
    lab.land({"nginx.json": V2, "new/a.json": V0, "other.json": None})
    lab.write("nginx.json", V2)
    tree = lab.worktree()
    assert tree.edited() == {}
    lab.assert_clean()


def test_a_crash_between_files_and_index(lab: Lab, tree: WorkTree) -> None:
    tree.update(lab.land({"nginx.json": V2, "new/a.json": V0, "other.json": None}))
    del tree
    assert lab.worktree().edited() == {}
    lab.assert_clean()


def test_a_crash_between_removal_and_creation_of_a_service(lab: Lab, tree: WorkTree) -> None:
    tree.update(lab.land({"nginx.json": None}))
    del tree
    lab.land({"nginx.json": V2})
    assert lab.worktree().edited() == {}
    assert lab.read("nginx.json") == V2
    lab.assert_clean()


def test_a_crash_between_a_creation_and_a_deletion_that_the_index_saw_neither_of(
    lab: Lab, tree: WorkTree
) -> None:
    tree.update(lab.land({"team/new.json": V0}))
    lab.land({"team/new.json": None})
    lab.write("team/mine.json", MINE)
    del tree
    assert lab.worktree().edited() == {}
    assert lab.status() == "?? team/mine.json"


def test_an_old_document_put_back_by_hand_outlives_a_restart_without_a_crash(
    lab: Lab, tree: WorkTree
) -> None:
    lab.follow(tree, {"nginx.json": None})
    lab.write("nginx.json", V0)
    tree.close()
    lab.worktree()
    assert lab.status() == "?? nginx.json"


def test_a_crash_leaves_a_persons_work_alone(lab: Lab) -> None:
    lab.write("payments/api.yaml", "mine: 1\n")
    git(lab.root, "add", "payments/api.yaml")
    (lab.root / "other.json").unlink()
    lab.land({"nginx.json": V2, "new/a.json": V0})
    tree = lab.worktree()
    assert tree.edited() == {"other.json": "deleted", "payments/api.yaml": "staged, edited"}
    assert lab.read("nginx.json") == V2
    assert lab.status().split("\n") == [" D other.json", "M  payments/api.yaml"]


def test_a_fresh_index_is_not_disturbed(lab: Lab, tree: WorkTree) -> None:
    assert not tree.disturbed()
    lab.follow(tree, {"nginx.json": V2})
    assert not tree.disturbed()
    lab.write("mine.json", MINE)
    git(lab.root, "add", "mine.json")
    assert tree.disturbed()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _unprivileged(lab: Lab, folder: str) -> Iterator[None]:
    """Make a folder read-only; where the tests run as root, let this thread work on files as nobody."""
    locked = lab.root / folder
    locked.chmod(0o555)
    try:
        if os.geteuid() == 0:
            with _as_nobody(lab.root):
                yield
        else:
            yield
    finally:
        locked.chmod(0o755)


@contextlib.contextmanager
def _as_nobody(root: Path) -> Iterator[None]:
    nobody = 65534
    parents = [
        folder for folder in root.parents if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o1
    ]
    for folder in parents:
        folder.chmod(0o711)
    _chown(root, nobody)
    libc = ctypes.CDLL(None)
    libc.setfsuid(nobody)
    try:
        yield
    finally:
        libc.setfsuid(0)
        _chown(root, 0)
        for folder in parents:
            folder.chmod(0o700)


def _chown(root: Path, owner: int) -> None:
    for path in [root, *root.rglob("*")]:
        os.chown(path, owner, owner, follow_symlinks=False)
