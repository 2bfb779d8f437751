from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.store.objects import object_id
from configsvc.store.recovery import recover
from tests.store.gitrepo import assert_sound, commit_files, git, new_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    root = new_repository(tmp_path / "repository")
    commit_files(root, {"a.json": "{}\n", "b/c.json": "1\n"})
    (root / ".git" / "configsvc").mkdir()
    return root / ".git"


def touch(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "index.lock",
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "refs/heads/main.lock",
        "refs/heads/deep/er/branch.lock",
        "objects/pack/multi-pack-index.lock",
        "objects/info/commit-graph.lock",
    ],
)
def test_a_stale_lock_is_removed_and_named(git_dir: Path, name: str) -> None:
    lock = touch(git_dir / name)
    assert recover(git_dir) == [f"stale {name} removed"]
    assert not lock.exists()
    assert recover(git_dir) == []


def test_nothing_is_found_in_a_sound_repository(git_dir: Path) -> None:
    before = sorted(git_dir.rglob("*"))
    assert recover(git_dir) == []
    assert sorted(git_dir.rglob("*")) == before


@pytest.mark.parametrize(
    "name",
    [
        "objects/ab/tmp_obj_x",
        "objects/pack/tmp_pack_x",
        "objects/pack/.tmp-12-pack-x.idx",
        "objects/tmp_idx_x",
    ],
)
def test_an_unfinished_object_is_removed(git_dir: Path, name: str) -> None:
    leftover = touch(git_dir / name, b"half")
    assert [name in sentence for sentence in recover(git_dir)] == [True]
    assert not leftover.exists()
    assert_sound(git_dir.parent)


def test_a_quarantine_folder_is_removed_whole(git_dir: Path) -> None:
    touch(git_dir / "objects" / "tmp_objdir-incoming-x" / "pack" / "pack-1.pack")
    assert recover(git_dir) == ["unfinished objects objects/tmp_objdir-incoming-x removed"]
    assert not (git_dir / "objects" / "tmp_objdir-incoming-x").exists()


def test_a_pack_without_idx_is_removed_and_a_whole_one_is_kept(git_dir: Path) -> None:
    git(git_dir.parent, "repack", "-a", "-d", "-q")
    (whole,) = (git_dir / "objects" / "pack").glob("*.pack")
    stray = whole.with_name("pack-" + "0" * 40 + ".pack")
    shutil.copy(whole, stray)
    assert recover(git_dir) == [f"pack without idx objects/pack/{stray.name} removed"]
    assert whole.exists()
    assert not stray.exists()
    assert_sound(git_dir.parent)


def test_a_lock_that_a_process_has_open_is_left(git_dir: Path) -> None:
    lock = touch(git_dir / "index.lock")
    with lock.open() as held, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=held) as holder:
        assert recover(git_dir) == [f"index.lock left: process {holder.pid} is using it"]
        assert lock.exists()
        holder.communicate()
    assert recover(git_dir) == ["stale index.lock removed"]


@pytest.fixture
def editing(git_dir: Path, tmp_path: Path) -> Iterator[int]:
    """The pid of a `git commit -a` in its editor: it holds the index lock and does not have it open."""
    ready, go = tmp_path / "ready", tmp_path / "go"
    os.mkfifo(ready)
    os.mkfifo(go)
    editor = touch(tmp_path / "editor", f"#!/bin/sh\necho > {ready}\nread x < {go}\nexit 1\n".encode())
    editor.chmod(0o755)
    (git_dir.parent / "a.json").write_text("edited\n")
    command = ["git", "-c", f"core.editor={editor}", "commit", "-a"]
    with subprocess.Popen(command, cwd=git_dir.parent, stderr=subprocess.DEVNULL) as process:
        ready.read_text()
        yield process.pid
        go.write_text("\n")


def test_the_lock_of_a_commit_that_waits_in_its_editor_is_left(git_dir: Path, editing: int) -> None:
    assert recover(git_dir) == [f"index.lock left: process {editing} is using it"]
    main = touch(git_dir / "refs" / "heads" / "main.lock")
    assert "stale refs/heads/main.lock removed" in recover(git_dir)
    assert not main.exists()
    assert (git_dir / "index.lock").exists()


def test_unfinished_objects_are_left_while_a_git_command_may_be_writing_them(
    git_dir: Path, editing: int
) -> None:
    leftover = touch(git_dir / "objects" / "pack" / "tmp_pack_x")
    assert f"1 unfinished files left: git runs here as process {editing}" in recover(git_dir)
    assert leftover.exists()


def test_a_lock_of_our_own_is_removed_whoever_runs_git_here(git_dir: Path, editing: int) -> None:
    (git_dir / "index.lock").unlink()
    os.link(touch(git_dir / "configsvc" / "index.new"), git_dir / "index.lock")
    assert "stale index.lock removed" in recover(git_dir)


def test_a_reading_git_command_keeps_no_lock_alive(git_dir: Path) -> None:
    touch(git_dir / "index.lock")
    command = ["git", "cat-file", "--batch"]
    with subprocess.Popen(command, cwd=git_dir.parent, stdin=subprocess.PIPE) as reader:
        assert recover(git_dir) == ["stale index.lock removed"]
        reader.communicate()


def temporary(git_dir: Path, named: bytes, content: bytes) -> Path:
    return touch(git_dir / "configsvc" / "tmp" / f"{object_id('blob', named).hex()}-1-1", content)


def test_our_own_temporary_files_are_removed(git_dir: Path) -> None:
    temporary(git_dir, b"new\n", b"new\n")
    temporary(git_dir, b"other\n", b"")
    assert recover(git_dir) == ["2 temporary working files removed"]
    assert list((git_dir / "configsvc" / "tmp").iterdir()) == []


def test_a_committed_file_that_had_been_replaced_is_removed(git_dir: Path) -> None:
    replaced = temporary(git_dir, b"new\n", b"{}\n")
    assert recover(git_dir) == ["replaced working file removed"]
    assert not replaced.exists()


def test_a_persons_edit_that_was_just_being_replaced_is_kept(git_dir: Path) -> None:
    temporary(git_dir, b"new\n", b"written by hand\n")
    (sentence,) = recover(git_dir)
    (kept,) = (git_dir / "configsvc" / "kept").iterdir()
    assert kept.read_bytes() == b"written by hand\n"
    assert str(kept) in sentence


def test_a_persons_link_that_was_just_being_replaced_is_kept(git_dir: Path) -> None:
    folder = git_dir / "configsvc" / "tmp"
    folder.mkdir()
    (folder / ("0" * 40 + "-1-1")).symlink_to("elsewhere")
    recover(git_dir)
    (kept,) = (git_dir / "configsvc" / "kept").iterdir()
    assert os.readlink(kept) == "elsewhere"


def test_thousands_of_packs_cost_milliseconds(git_dir: Path) -> None:
    folder = git_dir / "objects" / "pack"
    for number in range(3000):
        (folder / f"pack-{number:040x}.pack").touch()
        (folder / f"pack-{number:040x}.idx").touch()
    fastest = min(_seconds(git_dir) for _ in range(5))
    assert fastest < 0.05


def _seconds(git_dir: Path) -> float:
    started = time.process_time()
    assert recover(git_dir) == []
    return time.process_time() - started
