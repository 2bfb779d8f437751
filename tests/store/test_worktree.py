"""What the service writes arrives in the working tree, after a crash too."""

from __future__ import annotations

import os

import pytest

from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import git
from tests.store.treelab import MINE, V0, V1, V2, V3, Lab

pytestmark = pytest.mark.slow


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
