from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.core.errors import WriteFailed
from configsvc.store.disk import Disk
from configsvc.store.gitstore import GitStore
from configsvc.store.log import KEEP_REASON
from tests.store.gitrepo import assert_sound, git, put, run_git
from tests.store.test_packs import FullDisk

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repo"


def kept(root: Path) -> Iterator[Path]:
    return (root / ".git/objects/pack").glob("*.keep")


@pytest.mark.parametrize(
    "command",
    [
        "gc --quiet --prune=now",
        "gc --quiet --aggressive --prune=all",
        "repack -q -a -d",
        "repack -q -A -d",
        "repack -q -a -d --cruft --cruft-expiration=now",
        "repack -q -d --geometric=2 --write-midx",
        "prune --expire=now",
    ],
)
def test_durable_no_git_command_drops_a_batch_that_is_just_landing(root: Path, command: str) -> None:
    armed = False

    def on_step(step: str) -> None:
        if armed and step == "packed":
            git(root, *command.split())

    with GitStore.open(root, on_step=on_step) as store:
        put(store, {"a.json": b"1"})
        armed = True
        put(store, {"b.json": b"2"})
        assert (store.snapshot().read("a.json"), store.snapshot().read("b.json")) == (b"1", b"2")
    assert git(root, "show", "main:b.json") == "2"
    assert_sound(root)
    assert list(kept(root)) == []


class PrunedDisk(Disk):
    """A disk on which somebody lets git clean up before each rename."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.armed = False
        self._root = root

    def rename(self, source: Path, target: Path) -> None:
        if self.armed:
            run_git(self._root, "gc", "--quiet", "--prune=now")
            run_git(self._root, "prune", "--expire=now")
        super().rename(source, target)


def test_durable_git_does_not_remove_the_files_of_a_batch_on_their_way(root: Path) -> None:
    GitStore.open(root).close()
    disk = PrunedDisk(root)
    with GitStore.open(root, disk=disk) as store:
        put(store, {"a.json": b"1"})
        disk.armed = True
        assert put(store, {"b.json": b"2"}).revision == 3
    assert_sound(root)


def test_a_pack_that_landed_is_no_longer_kept_from_repacking(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        assert list(kept(root)) == []
        git(root, "gc", "--quiet")
        assert put(store, {"a.json": b"2"}).revision == 3
        assert len(list((root / ".git/objects/pack").glob("*.pack"))) == 2


def test_a_write_that_failed_leaves_no_pack_kept(root: Path) -> None:
    disk = FullDisk(10_000)
    with GitStore.open(root, disk=disk) as store:
        disk.left = 1
        with pytest.raises(WriteFailed):
            put(store, {"a.json": b"1"})
        assert list(kept(root)) == []


def test_marks_of_a_dead_process_go_at_the_next_start_and_those_of_others_stay(root: Path) -> None:
    GitStore.open(root).close()
    ours, theirs = (root / ".git/objects/pack" / f"pack-{'01'[n] * 40}.keep" for n in (0, 1))
    ours.write_text(KEEP_REASON)
    theirs.write_text("mine\n")
    GitStore.open(root).close()
    assert list(kept(root)) == [theirs]
