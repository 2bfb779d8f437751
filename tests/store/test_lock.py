from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configsvc.core.errors import RepositoryLocked
from configsvc.store import lock as locks
from configsvc.store.lock import RepositoryLock

HOLD = """
import sys, time
from pathlib import Path
from configsvc.store.lock import RepositoryLock
with RepositoryLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_file_names_the_holder(tmp_path: Path) -> None:
    with RepositoryLock(tmp_path) as lock:
        assert lock.path == tmp_path / "configsvc" / "lock"
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_second_holder_is_refused_and_told_the_first_ones_pid(tmp_path: Path) -> None:
    with (
        RepositoryLock(tmp_path / ".git"),
        pytest.raises(RepositoryLocked, match=f"process {os.getpid()} .*stop that"),
    ):
        RepositoryLock(tmp_path / ".git")


@pytest.mark.parametrize("before", ["", "a pid of a dead process"])
def test_a_holder_that_has_not_written_its_pid_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    if before:
        with subprocess.Popen(["true"]) as dead:
            before = f"{dead.pid}\n"
    path = tmp_path / ".git" / "configsvc" / "lock"
    path.parent.mkdir(parents=True)
    path.write_text(before)
    monkeypatch.setattr(time, "sleep", lambda _: path.write_text(f"{os.getppid()}\n"))
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RepositoryLocked, match=f"held by process {os.getppid()} "):
            RepositoryLock(tmp_path / ".git")


def test_a_holder_that_never_writes_its_pid_is_told_as_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".git" / "configsvc" / "lock"
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(locks, "_NAME_WITHIN_S", 0.0)
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RepositoryLocked, match="held by process unknown "):
            RepositoryLock(tmp_path / ".git")


def test_the_lock_is_free_after_close(tmp_path: Path) -> None:
    lock = RepositoryLock(tmp_path)
    lock.close()
    lock.close()
    RepositoryLock(tmp_path).close()


def test_a_shorter_pid_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "configsvc").mkdir()
    (tmp_path / "configsvc" / "lock").write_text("12345678901234567890\n")
    with RepositoryLock(tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_started_program_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = RepositoryLock(tmp_path)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.close()
        RepositoryLock(tmp_path).close()
        child.communicate(b"")


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = RepositoryLock(tmp_path)
    wait, go = os.pipe()
    ready, started = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.write(started, b"!")
        os.read(wait, 1)
        os._exit(0)
    os.read(ready, 1)
    lock.close()
    try:
        RepositoryLock(tmp_path).close()
    finally:
        for descriptor in (go, wait, ready, started):
            os.close(descriptor)
        os.waitpid(child, 0)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RepositoryLocked, match=f"process {holder.pid} "):
            RepositoryLock(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    RepositoryLock(tmp_path).close()
