"""Which processes of this machine use a repository right now.

Read from /proc.  Where there is none, and for processes of other users, nobody
is found.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# fmt: off
INDEX_WRITERS = frozenset(
    [
        "add", "am", "apply", "bisect", "checkout", "cherry-pick", "commit", "merge", "mv", "pull",
        "read-tree", "rebase", "reset", "restore", "revert", "rm", "sparse-checkout", "stash", "submodule",
        "switch", "update-index", "worktree",
    ]
)
"""git commands that may hold `index.lock` without having it open, say while an editor waits."""

READERS = frozenset(
    [
        "blame", "cat-file", "diff", "diff-files", "diff-index", "for-each-ref", "fsck", "grep", "log",
        "ls-files", "ls-tree", "rev-list", "rev-parse", "shortlog", "show", "status", "upload-pack",
    ]
)
"""git commands that write no objects."""
# fmt: on

_OPTIONS_WITH_VALUE = ("-C", "-c", "--git-dir", "--work-tree", "--namespace")


@dataclass(slots=True)
class Users:
    """Pids of processes that use a repository; None or absent when there are none.

    Args:
        index_writer: A git command that may hold the index, open or not.
        object_writer: A git command that may be writing objects.
        holders: Who has which of the files asked for open.
    """

    index_writer: int | None = None
    object_writer: int | None = None
    holders: dict[Path, int] = field(default_factory=dict)


def find_users(git_dir: Path, files: Sequence[Path] = ()) -> Users:
    """Return who uses the repository of `git_dir`, or has one of `files` open."""
    users = Users()
    root = git_dir.resolve().parent
    wanted = {_identity(path): path for path in files}
    wanted.pop(None, None)
    names = {path.name for path in files}
    for pid in _other_processes():
        command = _git_command(pid, root)
        if command in INDEX_WRITERS:
            users.index_writer = pid
        if command is not None and command not in READERS:
            users.object_writer = pid
        for identity in _open_files(pid, names):
            if identity in wanted:
                users.holders[wanted[identity]] = pid
    return users


def _git_command(pid: int, root: Path) -> str | None:
    """Return the git command that a process runs in `root`, None when it runs none there."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        program = os.path.basename(words[0])
        if not program.startswith("git"):
            return None
        folder = Path(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:  # it ended, or belongs to another user
        return None
    if folder != root and root not in folder.parents:
        return None
    return program.removeprefix("git-") if program != "git" else _subcommand(words[1:])


def _subcommand(words: Sequence[str]) -> str:
    rest = iter(words)
    for word in rest:
        if word in _OPTIONS_WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def _other_processes() -> Iterator[int]:
    for name in _names("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            yield int(name)


def _open_files(pid: int, names: set[str]) -> Iterator[tuple[int, int]]:
    """Yield the identities of the files with one of `names` that a process has open."""
    for number in _names(f"/proc/{pid}/fd") if names else ():
        link = f"/proc/{pid}/fd/{number}"
        with contextlib.suppress(OSError):
            # By name first: a stat of whatever else is open could hang, say on a dead network mount.
            if os.path.basename(os.readlink(link)) in names:
                identity = _identity(Path(link))
                if identity is not None:
                    yield identity


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
