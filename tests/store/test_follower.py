from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from configsvc.store.follower import Follower
from configsvc.store.objects import object_id
from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import WAIT_S, assert_sound, git, wait_until
from tests.store.treelab import Lab

pytestmark = pytest.mark.slow

V0, V1, V2, MINE = '{"v": 0}\n', '{"v": 1}\n', '{"v": 2}\n', '{"mine": true}\n'
NEVER_S = 1000.0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "repository")
    lab.follow(lab.worktree(), {"nginx.json": V0, "other.json": V0})
    return lab


class Watched(WorkTree):
    """A working tree that records what it is asked for, and can be made to wait or to fail."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.root, lab.git_dir, lab)
        self.go = threading.Event()
        self.go.set()
        self.writers_wait = threading.Event()
        self.updates: list[set[str]] = []
        self.index_writes = 0
        self.error: Exception | None = None

    def update(self, paths: Iterable[str]) -> frozenset[str]:
        wanted = set(paths)
        self.updates.append(wanted)
        assert self.go.wait(WAIT_S)
        if self.error is not None:
            raise self.error
        return super().update(wanted)

    def write_index(self) -> bool:
        self.index_writes += 1
        return super().write_index()


@pytest.fixture
def tree(lab: Lab) -> Watched:
    tree = Watched(lab)
    assert tree.reconcile()
    return tree


@pytest.fixture
def started(tree: Watched) -> Iterator[Callable[..., Follower]]:
    """Start a follower whose timers never come unless they are given."""
    followers = []

    def start(**timings: float) -> Follower:
        never = {"check_interval_s": NEVER_S, "reconcile_interval_s": NEVER_S}
        follower = Follower(tree, is_busy=tree.writers_wait.is_set, **(never | timings))
        followers.append(follower)
        follower.start()
        return follower

    yield start
    tree.go.set()
    for follower in followers:
        follower.close()


def test_what_is_notified_is_in_files_and_index_after_a_flush(
    lab: Lab, started: Callable[..., Follower]
) -> None:
    follower = started()
    follower.notify(lab.land({"nginx.json": V1}))
    follower.notify(lab.land({"a/new.json": V0}))
    assert follower.flush(WAIT_S)
    assert lab.read("a/new.json") == V0
    assert follower.local_edits == {}
    assert follower.notes == {}
    lab.assert_clean()


def test_files_and_index_follow_without_a_flush(lab: Lab, started: Callable[..., Follower]) -> None:
    follower = started(index_interval_s=0.01)
    for content in (V1, V2):
        follower.notify(lab.land({"nginx.json": content}))
        wait_until(lambda: lab.status() == "")
        assert lab.read("nginx.json") == content


def test_what_was_notified_before_the_start_is_done_at_once_and_together(lab: Lab, tree: Watched) -> None:
    follower = Follower(tree)
    follower.notify(lab.land({"nginx.json": V1}))
    follower.notify(lab.land({"nginx.json": V2, "other.json": V1}))
    assert not follower.flush(0.0)
    follower.start()
    assert follower.flush(WAIT_S)
    follower.close()
    assert tree.updates == [{"nginx.json", "other.json"}]
    lab.assert_clean()


def test_notify_does_not_wait_for_the_disk(lab: Lab, tree: Watched, started: Callable[..., Follower]) -> None:
    follower = started()
    tree.go.clear()
    for content in (V1, V2) * 50:
        lab.pretend("nginx.json", content)
        follower.notify(["nginx.json"])
    wait_until(lambda: len(tree.updates) == 1)
    assert not follower.flush(0.01)
    assert len(tree.updates) == 1
    lab.land({"nginx.json": V2})
    tree.go.set()
    assert follower.flush(WAIT_S)
    assert len(tree.updates) <= 2
    lab.assert_clean()


def test_the_index_is_written_now_and_then_under_load(
    lab: Lab, tree: Watched, started: Callable[..., Follower]
) -> None:
    follower = started(index_interval_s=NEVER_S)
    assert follower.flush(WAIT_S)
    for content in (V1, V2) * 10:
        seen = len(tree.updates)
        lab.pretend("nginx.json", content)
        follower.notify(["nginx.json"])
        wait_until(lambda seen=seen: len(tree.updates) > seen)  # type: ignore[misc]
    wait_until(lambda: lab.read("nginx.json") == V2)
    assert tree.index_writes == 1
    lab.land({"nginx.json": V2})
    assert follower.flush(WAIT_S)
    assert tree.index_writes == 2
    lab.assert_clean()


def test_it_gives_way_to_writers_until_it_is_wanted(
    lab: Lab, tree: Watched, started: Callable[..., Follower]
) -> None:
    follower = started(max_lag_s=NEVER_S)
    tree.writers_wait.set()
    follower.notify(lab.land({"nginx.json": V1}))
    follower.notify(lab.land({"nginx.json": V2}))
    assert tree.updates == []
    assert follower.flush(WAIT_S)
    assert tree.updates == [{"nginx.json"}]
    follower.notify(lab.land({"nginx.json": V1}))
    tree.writers_wait.clear()
    wait_until(lambda: len(tree.updates) == 2)


def test_it_gives_way_to_writers_for_so_long_and_no_longer(
    lab: Lab, tree: Watched, started: Callable[..., Follower]
) -> None:
    follower = started(max_lag_s=0.01)
    tree.writers_wait.set()
    follower.notify(lab.land({"nginx.json": V1}))
    wait_until(lambda: lab.status() == "")
    assert lab.read("nginx.json") == V1


def test_a_held_index_lock_is_waited_for(lab: Lab, started: Callable[..., Follower]) -> None:
    follower = started(retry_interval_s=0.01)
    (lab.git_dir / "index.lock").touch()
    follower.notify(lab.land({"nginx.json": V1}))
    wait_until(lambda: lab.read("nginx.json") == V1)
    assert not follower.flush(0.05)
    (lab.git_dir / "index.lock").unlink()
    assert follower.flush(WAIT_S)
    lab.assert_clean()


def test_a_failure_is_logged_once_and_tried_again(
    lab: Lab, tree: Watched, started: Callable[..., Follower], caplog: pytest.LogCaptureFixture
) -> None:
    tree.error = RuntimeError("out of order")
    follower = started(retry_interval_s=0.005)
    follower.notify(lab.land({"nginx.json": V1}))
    wait_until(lambda: len(tree.updates) > 3)
    assert not follower.flush(0.0)
    tree.error = None
    assert follower.flush(WAIT_S)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "out of order" in caplog.text
    lab.assert_clean()


def test_a_file_in_use_is_brought_up_when_it_is_free(lab: Lab, started: Callable[..., Follower]) -> None:
    follower = started(retry_interval_s=0.01)
    with (lab.root / "nginx.json").open("r+"):
        follower.notify(lab.land({"nginx.json": V1, "other.json": V1}))
        wait_until(lambda: "nginx.json" in follower.local_edits)
        wait_until(lambda: lab.read("other.json") == V1)
    assert follower.flush(WAIT_S)
    assert follower.local_edits == {}
    lab.assert_clean()


def test_a_local_edit_is_logged_once(
    lab: Lab, started: Callable[..., Follower], caplog: pytest.LogCaptureFixture
) -> None:
    lab.write("nginx.json", MINE)
    follower = started()
    for content in (V1, V2):
        follower.notify(lab.land({"nginx.json": content}))
        assert follower.flush(WAIT_S)
    assert follower.local_edits == {"nginx.json": "edited"}
    assert [record.getMessage() for record in caplog.records] == [
        "working tree: nginx.json is left as it is: edited"
    ]


def test_a_note_is_logged_when_it_comes_and_when_it_goes(
    lab: Lab, started: Callable[..., Follower], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    follower = started(check_interval_s=0.01)
    git(lab.root, "checkout", "-q", "--detach")
    wait_until(lambda: "working-tree-elsewhere" in follower.notes)
    git(lab.root, "checkout", "-q", "main")
    wait_until(lambda: follower.notes == {})
    wait_until(lambda: "working tree: working-tree-elsewhere: over" in caplog.messages)


def test_a_reset_is_repaired_by_the_check(lab: Lab, started: Callable[..., Follower]) -> None:
    follower = started(check_interval_s=0.01)
    follower.notify(lab.land({"nginx.json": V1, "new.json": V0}))
    assert follower.flush(WAIT_S)
    git(lab.root, "read-tree", "-u", "--reset", "HEAD~1")
    wait_until(lambda: lab.status() == "")
    assert lab.read("new.json") == V0


def test_an_edit_that_nothing_touched_is_found_by_the_comparison(
    lab: Lab, started: Callable[..., Follower]
) -> None:
    follower = started(reconcile_interval_s=0.01)
    lab.write("nginx.json", MINE)
    wait_until(lambda: follower.local_edits == {"nginx.json": "edited"})
    lab.write("nginx.json", V0)
    wait_until(lambda: follower.local_edits == {})


def test_close_finishes_what_waits(lab: Lab, tree: Watched) -> None:
    follower = Follower(tree, index_interval_s=NEVER_S)
    follower.start()
    for content in (V1, V2):
        follower.notify(lab.land({"nginx.json": content}))
    follower.close()
    follower.close()
    lab.assert_clean()
    assert not (lab.git_dir / "configsvc" / "following").exists()
    follower.notify(["nginx.json"])
    assert not follower.flush(0.0)


def test_a_follower_that_was_never_started_can_be_closed(tree: Watched) -> None:
    Follower(tree).close()


EDITOR = r"""
import itertools, os, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
old = '{"v": 0}\n'

def renamed(text):
    with open(path + "~", "w") as file:
        file.write(text)
    os.replace(path + "~", path)

def truncated(text):
    with open(path, "w") as file:
        file.write(text[:5]); file.flush(); file.write(text[5:])

def in_place(text):
    with open(path, "r+") as file:
        file.write(text); file.flush(); file.truncate()

def attempt(function, *arguments):
    while True:
        try:
            return function(*arguments)
        except FileNotFoundError:  # for a moment, where two files cannot be exchanged
            pass

def read():
    with open(path) as file:
        return file.read()

def stays(text):
    deadline = time.monotonic() + 5
    while attempt(read) != text:
        if time.monotonic() > deadline:
            return False
    return True

end, rounds = time.monotonic() + seconds, 0
for number, save in enumerate(itertools.cycle([renamed, truncated, in_place])):
    mine = f"written by hand, number {number}, {'x' * (number % 50)}\n"
    attempt(save, mine)
    for _ in range(3):
        if not stays(mine):
            sys.exit(f"{save.__name__}: {mine!r} became {attempt(read)!r}")
    if time.monotonic() > end:
        break
    attempt(save, old)
    for _ in range(number % 20):
        attempt(read)
    rounds += 1
print(rounds, mine)
"""


@pytest.mark.parametrize("can_exchange", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_nothing_is_lost_of_what_an_editor_saves_in_a_loop(lab: Lab, can_exchange: bool) -> None:
    """It saves in three ways, and takes its edits back in between, so that the service writes again."""
    tree = lab.worktree(can_exchange=can_exchange)
    follower = Follower(tree, index_interval_s=0.01, check_interval_s=0.01, retry_interval_s=0.001)
    follower.start()
    command = [sys.executable, "-c", EDITOR, str(lab.root / "nginx.json"), "4"]
    replaced = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as editor:
        number = 0
        while editor.poll() is None:
            number += 1
            lab.pretend("nginx.json", f'{{"v": {number}}}\n')
            follower.notify(["nginx.json"])
            follower.flush(0.01)
            replaced += "nginx.json" not in follower.local_edits
        assert editor.returncode == 0
        assert editor.stdout is not None
        rounds, last = editor.stdout.read().split(" ", 1)
    assert int(rounds) > 20
    assert replaced > 20
    lab.land({"nginx.json": V2})
    follower.notify(["nginx.json"])
    assert follower.flush(WAIT_S)
    follower.close()
    assert lab.read("nginx.json") == last.removesuffix("\n")
    assert follower.local_edits == {"nginx.json": "edited"}
    assert lab.status() == " M nginx.json"
    assert_sound(lab.root)


def test_nothing_is_lost_of_what_a_person_stages_in_a_loop(
    lab: Lab, started: Callable[..., Follower]
) -> None:
    follower = started(index_interval_s=0.0, retry_interval_s=0.001)
    stop, text = threading.Event(), ""

    def load() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            lab.pretend("nginx.json", f'{{"v": {number}}}\n')
            follower.notify(["nginx.json"])
            follower.flush(WAIT_S)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for number in range(60):
            text = f"staged by hand {number}\n"
            lab.write("other.json", text)
            while git_add_failed(lab, "other.json"):
                pass
            assert lab.staged("other.json") == text
    finally:
        stop.set()
        thread.join()
    assert lab.staged("other.json") == text
    assert object_id("blob", text.encode()).hex() in git(lab.root, "ls-files", "--stage", "other.json")


def git_add_failed(lab: Lab, path: str) -> bool:
    """Whether git met our lock, which lasts microseconds."""
    done = subprocess.run(["git", "add", path], cwd=lab.root, capture_output=True)
    assert done.returncode == 0 or b"index.lock" in done.stderr
    return done.returncode != 0
