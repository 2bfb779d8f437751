from __future__ import annotations

from pathlib import Path

import pytest

from configsvc.store.disk import Disk
from configsvc.store.refs import RefBusy, RefMoved, RefUnreadable, RefUnsynced, compare_and_set, read_ref
from tests.store.gitrepo import commit_files, git, new_repository
from tests.store.test_packs import FullDisk

OTHER = "1" * 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = new_repository(tmp_path / "repo")
    commit_files(made, {"a.json": "{}"})
    return made


def test_reads_a_ref_that_git_packed(root: Path) -> None:
    commit_id = git(root, "rev-parse", "main")
    git(root, "pack-refs", "--all")
    assert not (root / ".git/refs/heads/main").exists()
    assert read_ref(root / ".git") == commit_id


def test_moves_a_packed_ref_so_that_git_sees_it(root: Path) -> None:
    first = git(root, "rev-parse", "main")
    second = commit_files(root, {"b.json": "{}"})
    git(root, "pack-refs", "--all")
    compare_and_set(root / ".git", second, first, Disk())
    assert git(root, "rev-parse", "main") == first


@pytest.mark.parametrize("content", ["", "ref: refs/heads/other\n", "1234\n", "x" * 40])
def test_a_ref_that_holds_no_commit_id_is_refused(root: Path, content: str) -> None:
    (root / ".git/refs/heads/main").write_text(content)
    with pytest.raises(RefUnreadable, match="refs/heads/main"):
        read_ref(root / ".git")


def test_a_missing_ref_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefUnreadable, match="not found"):
        read_ref(tmp_path)


def test_a_ref_that_moved_stays_where_it_is(root: Path) -> None:
    commit_id = git(root, "rev-parse", "main")
    with pytest.raises(RefMoved):
        compare_and_set(root / ".git", OTHER, OTHER, Disk())
    assert git(root, "rev-parse", "main") == commit_id
    assert not (root / ".git/refs/heads/main.lock").exists()


def test_a_ref_that_another_process_locks_is_left_alone(root: Path) -> None:
    lock = root / ".git/refs/heads/main.lock"
    lock.write_text("theirs")
    with pytest.raises(RefBusy):
        compare_and_set(root / ".git", git(root, "rev-parse", "main"), OTHER, Disk())
    assert lock.read_text() == "theirs"


@pytest.mark.parametrize(("nth", "error"), [(0, OSError), (1, OSError), (2, RefUnsynced)])
def test_a_failing_disk_says_whether_the_ref_moved(root: Path, nth: int, error: type[Exception]) -> None:
    commit_id = git(root, "rev-parse", "main")
    with pytest.raises(error):
        compare_and_set(root / ".git", commit_id, OTHER, FullDisk(nth))
    assert read_ref(root / ".git") == (OTHER if error is RefUnsynced else commit_id)
    assert not (root / ".git/refs/heads/main.lock").exists()
