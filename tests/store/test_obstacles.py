"""What stands in the way of a working file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import git
from tests.store.treelab import MINE, V0, V1, V2, Lab

pytestmark = pytest.mark.slow


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
