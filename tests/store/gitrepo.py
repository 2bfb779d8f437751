"""Real git for tests: run commands shut off from the machine's settings."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from configsvc.core.changes import ANONYMOUS, Outcome, Plan
from configsvc.store.base import ConfigStore, Write

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ann Author",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann Author",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
WAIT_S = 20.0


def run_git(root: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run git in `root` and return how it ended."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", "-C", str(root), *arguments], input=stdin, capture_output=True, env=inherited | IDENTITY
    )


def git(root: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Return what git prints; fail when it fails."""
    done = run_git(root, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape").strip("\n")


def new_repository(root: Path) -> Path:
    """Return a fresh repository on branch main without commits."""
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


def commit_files(root: Path, files: Mapping[str, str | None], message: str = "Change") -> str:
    """Commit files made by hand (None removes one); return the commit id."""
    for path, content in files.items():
        place = root / path
        if content is None:
            place.unlink()
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
    git(root, "add", "-A")
    git(root, *NO_HOOKS, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def put(store: ConfigStore, edits: dict[str, bytes | None], **more: str) -> Outcome:
    """Land a write of exact edits."""
    return store.submit(Write(lambda view: Plan(edits, "Change\n"), ANONYMOUS, **more)).result(WAIT_S)


def git_processes(root: Path, word: str) -> list[int]:
    """Return the git processes that run on the repository at `root` with `word` among their arguments."""
    command = ["ps", "-ww", "-eo", "pid,args"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.strip().split(None, 1) for line in listed.splitlines()[1:]]
    return [int(pid) for pid, args in rows if args.startswith("git ") and f"{root} " in args and word in args]


def assert_sound(root: Path) -> None:
    """Fail unless `git fsck --strict` has nothing to say of what main reaches.

    A repack goes on after its server was killed, and takes packs away that fsck has seen: its end is
    waited for.
    """
    give_up_at = time.monotonic() + WAIT_S
    while found := git_processes(root, "repack"):
        assert time.monotonic() < give_up_at, f"git repack goes on: {found}"
        time.sleep(0.05)
    done = run_git(root, "fsck", "--strict", "--no-dangling")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == b""


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once `condition` is true; fail when it is not in time."""
    give_up_at = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_at, "the condition did not come true in time"
        time.sleep(0.01)
