from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.store.disk import Disk
from configsvc.store.spares import SpareFiles
from tests.store.gitrepo import wait_until
from tests.store.sparing import spare_files


@pytest.fixture
def spares(tmp_path: Path) -> Iterator[SpareFiles]:
    with spare_files(tmp_path / "spare") as made:
        yield made


def test_a_store_that_seldom_writes_has_none(tmp_path: Path) -> None:
    spares = SpareFiles(tmp_path / "spare", seldom=2)
    threads = threading.active_count()
    assert [spares.put(tmp_path / "a"), spares.put(tmp_path / "b")] == [False, False]
    assert threading.active_count() == threads
    assert not (tmp_path / "spare").exists()


def test_a_spare_file_is_at_its_place_alone_and_empty(tmp_path: Path, spares: SpareFiles) -> None:
    path = tmp_path / "here"
    assert spares.put(path)
    found = path.stat()
    assert (found.st_size, found.st_nlink) == (0, 1)


def test_there_are_always_more_of_them(tmp_path: Path, spares: SpareFiles) -> None:
    for number in range(100):
        wait_until(lambda: len(spares) > 0)
        assert spares.put(tmp_path / str(number))


def test_a_place_that_is_taken_is_left_alone(tmp_path: Path, spares: SpareFiles) -> None:
    (tmp_path / "taken").write_text("other")
    with pytest.raises(FileExistsError):
        spares.put(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "other"


def test_a_place_that_cannot_be_has_none(tmp_path: Path, spares: SpareFiles) -> None:
    assert not spares.put(tmp_path / "missing" / "here")


def test_a_name_that_was_made_after_all_is_not_given_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spares: SpareFiles
) -> None:
    link = os.link

    def doubtful(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError(17, "File exists")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", doubtful)
        with pytest.raises(FileExistsError):
            spares.put(tmp_path / "made")
    for number in range(50):
        wait_until(lambda: len(spares) > 0)
        assert spares.put(tmp_path / str(number))
        assert not (tmp_path / str(number)).samefile(tmp_path / "made")


def test_where_no_thread_can_be_started_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    spares = SpareFiles(tmp_path / "spare", seldom=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        assert not any(spares.put(tmp_path / "here") for _ in range(5))
    spares.put(tmp_path / "here")
    spares.put(tmp_path / "here")
    wait_until(lambda: len(spares) > 0)
    spares.close()


def test_where_none_can_be_made_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "spare").write_text("a file where the folder belongs")
    spares = SpareFiles(tmp_path / "spare", seldom=0)
    assert not any(spares.put(tmp_path / "here") for _ in range(3))
    spares.close()


def test_what_a_dead_process_left_goes_and_nothing_stays_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "spare" / "new").mkdir(parents=True)
    (tmp_path / "spare" / "7").touch()
    spares = SpareFiles(tmp_path / "spare", seldom=0)
    assert not (tmp_path / "spare").exists()
    spares.put(tmp_path / "here")
    wait_until(lambda: len(spares) > 0)
    spares.close()
    spares.close()
    assert not (tmp_path / "spare").exists()
    assert not spares.put(tmp_path / "late")


def use_up(spares: SpareFiles) -> None:
    """Leave one way: no spare file at hand."""
    spares.close()


def keep(spares: SpareFiles) -> None:
    """Leave the other way: there are some."""


@pytest.mark.parametrize("prepare", [use_up, keep])
def test_the_disk_gives_the_same_file_with_one_and_without(
    tmp_path: Path, spares: SpareFiles, prepare: Callable[[SpareFiles], None]
) -> None:
    prepare(spares)
    disk, path = Disk(spares=spares), tmp_path / "file"
    mask = os.umask(0o027)
    try:
        disk.write(path, b"content", mode=0o444)
    finally:
        os.umask(mask)
    assert path.read_bytes() == b"content"
    # A spare file was made under the mask of its time.
    assert stat.S_IMODE(path.stat().st_mode) in (0o444 & ~0o027, 0o444 & ~mask)
    with pytest.raises(FileExistsError):
        disk.write(path, b"other", exclusive=True)
    assert path.read_bytes() == b"content"
    path.chmod(0o644)
    disk.write(path, b"new")
    assert path.read_bytes() == b"new"
