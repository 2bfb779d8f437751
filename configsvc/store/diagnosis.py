"""What `configsvc doctor` looks at.  Nothing is changed, and a server may run meanwhile."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from configsvc.core.errors import RepositoryLocked, RepositoryUnusable
from configsvc.core.names import PRINCIPALS_FOLDER
from configsvc.store.edits import working_edits
from configsvc.store.floors import FLOORS, floor_problem, library_version
from configsvc.store.gitcommand import ADVISED_GIT, MIN_GIT, GitFailed, git, git_version
from configsvc.store.lock import RepositoryLock
from configsvc.store.maintenance import MAX_PACKS
from configsvc.store.repository import git_dir_of, is_shallow, local_settings, wanted_settings

MAX_FOLDER_ENTRIES = 1000
"""A commit writes the trees on its path, so larger folders make every write below them slow."""
MIN_FREE_BYTES = 256 << 20
_SHOWN = 10


class Level(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        advice: What to do; empty when nothing has to be done.
    """

    level: Level
    message: str
    advice: str = ""


def diagnose(root: Path) -> Iterator[Finding]:
    """Yield what is found of git and of the repository at `root`, one check after the other."""
    yield _git()
    yield from _libraries()
    try:
        git_dir = git_dir_of(root)
    except RepositoryUnusable as error:
        yield Finding(Level.FAILURE, error.message)
        return
    running = True  # where that cannot be known
    try:
        running = _is_running(git_dir)
        yield Finding(Level.OK, "server: running" if running else "server: not running")
    except RepositoryUnusable as error:
        yield Finding(
            Level.FAILURE, error.message, "give its files to the user who serves it, and ask as that"
        )
    for check in (_readers, _objects, _history, _branch, _settings, _edits, _folders):
        try:
            yield from check(root, git_dir)
        except (GitFailed, OSError) as error:
            yield Finding(
                Level.FAILURE,
                f"{check.__name__.strip('_')}: {error}",
                "repair what git names, or restore a backup",
            )
    yield from _locks(git_dir, running)
    yield _packs(git_dir)
    yield _space(root)


def _git() -> Finding:
    try:
        version = git_version()
    except RepositoryUnusable as error:
        return Finding(Level.FAILURE, error.message, "install git")
    shown = ".".join(map(str, version))
    if version < MIN_GIT:
        return Finding(
            Level.FAILURE, f"git: {shown} (expected: >= {'.'.join(map(str, MIN_GIT))})", "install a newer git"
        )
    if version < ADVISED_GIT:
        advised = ".".join(map(str, ADVISED_GIT))
        return Finding(
            Level.WARNING,
            f"git: {shown} (advised: >= {advised})",
            "update git: later versions fix known holes",
        )
    return Finding(Level.OK, f"git: {shown}")


def _libraries() -> Iterator[Finding]:
    for name in FLOORS:
        problem = floor_problem(name)
        if problem:
            yield Finding(Level.FAILURE, problem, f"`pip install --upgrade {name}`; `serve` refuses this one")
        else:
            yield Finding(Level.OK, f"{name}: {'.'.join(map(str, library_version(name)))}")


def _is_running(git_dir: Path) -> bool:
    try:
        RepositoryLock(git_dir).close()
    except RepositoryLocked:
        return True
    return False


def _readers(root: Path, git_dir: Path) -> Iterator[Finding]:
    if root.stat().st_mode & stat.S_IRWXO and any((root / PRINCIPALS_FOLDER).glob("*")):
        yield Finding(
            Level.WARNING,
            "access: there are principals, and any user of this machine may read the repository's files",
            f"`chmod o= {root}`",
        )


def _objects(root: Path, git_dir: Path) -> Iterator[Finding]:
    try:
        git(root, "fsck", "--strict", "--no-dangling", "--no-progress", "refs/heads/main")
    except GitFailed as error:
        yield Finding(
            Level.FAILURE, f"objects: {error}", "stop the server and restore a backup (docs/backup.md)"
        )
    else:
        yield Finding(Level.OK, "objects: sound")


def _history(root: Path, git_dir: Path) -> Iterator[Finding]:
    if is_shallow(git_dir):
        yield Finding(
            Level.FAILURE,
            "history: cut off, this is a shallow clone (expected: the whole history)",
            "`git fetch --unshallow`; `serve` refuses it until then, since versions have other numbers",
        )


def _branch(root: Path, git_dir: Path) -> Iterator[Finding]:
    head = (git_dir / "HEAD").read_text().strip()
    if head == "ref: refs/heads/main":
        yield Finding(Level.OK, "branch: main is checked out")
    else:
        yield Finding(
            Level.WARNING,
            f"branch: {head} is checked out (expected: main)",
            "`git switch main`; until then working files stand still",
        )


def _settings(root: Path, git_dir: Path) -> Iterator[Finding]:
    current = local_settings(root)
    different = [name for name, values in wanted_settings(git_dir).items() if current.get(name) != values]
    if different:
        yield Finding(
            Level.WARNING,
            f"settings: {', '.join(different)} differ",
            "the next `configsvc serve` sets them again",
        )
    else:
        yield Finding(Level.OK, "settings: as they should be")


def _edits(root: Path, git_dir: Path) -> Iterator[Finding]:
    edits = working_edits(root, max_bytes=0)
    if not edits:
        yield Finding(Level.OK, "working tree: at head")
        return
    names = ", ".join(edit.path for edit in edits[:_SHOWN]) + (" ..." if len(edits) > _SHOWN else "")
    yield Finding(
        Level.WARNING,
        f"working tree: {len(edits)} edits that are not committed: {names}",
        "`configsvc commit` takes them, `git restore` drops them",
    )


def _folders(root: Path, git_dir: Path) -> Iterator[Finding]:
    sizes: dict[str, int] = {}
    for path in filter(None, git(root, "ls-tree", "-r", "-t", "-z", "--name-only", "main").split(b"\0")):
        folder = path.rpartition(b"/")[0].decode("utf-8", "replace")
        sizes[folder] = sizes.get(folder, 0) + 1
    large = [
        f"{folder or '.'} ({size})" for folder, size in sorted(sizes.items()) if size > MAX_FOLDER_ENTRIES
    ]
    if large:
        shown = ", ".join(large[:_SHOWN])
        yield Finding(
            Level.WARNING,
            f"folders: more than {MAX_FOLDER_ENTRIES} entries in {shown}",
            "spread services over folders of a few hundred",
        )
    else:
        yield Finding(Level.OK, f"folders: largest has {max(sizes.values(), default=0)} entries")


def _locks(git_dir: Path, running: bool) -> Iterator[Finding]:
    found = [*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock")]
    if not found:
        yield Finding(Level.OK, "locks: none left behind")
        return
    names = ", ".join(str(path.relative_to(git_dir)) for path in found[:_SHOWN])
    advice = "look for a git process that still runs; else restart the server, which removes them"
    yield Finding(
        Level.WARNING, f"locks: {names}", advice if running else "the next `configsvc serve` removes them"
    )


def _packs(git_dir: Path) -> Finding:
    count = sum(1 for entry in os.scandir(git_dir / "objects" / "pack") if entry.name.endswith(".pack"))
    if count > 4 * MAX_PACKS:
        return Finding(
            Level.WARNING,
            f"packs: {count} (expected: < {4 * MAX_PACKS})",
            "look into the log for why repacking fails",
        )
    return Finding(Level.OK, f"packs: {count}")


def _space(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    if free < MIN_FREE_BYTES:
        return Finding(
            Level.WARNING, f"disk: {free >> 20} MiB free (expected: >= {MIN_FREE_BYTES >> 20})", "make room"
        )
    return Finding(Level.OK, f"disk: {free >> 20} MiB free")
