"""What happens when `main` was moved by something else than the writer.

A hook refuses that for git itself, but another git library, or git told to
skip hooks, can do it all the same.  Such a move is adopted when the published
head is on its first-parent chain and the gate accepts every step; else
nothing more is written and reads stay on the last good head.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from configsvc.core.errors import StoreDiverged, WriteFailed
from configsvc.store.disk import Disk
from configsvc.store.gitcommand import GitFailed
from configsvc.store.history import RecentMessages, first_parent_commits
from configsvc.store.objects import commit_tree
from configsvc.store.opening import load_landings
from configsvc.store.publisher import Publisher
from configsvc.store.reader import ObjectMissing, ObjectReader
from configsvc.store.refs import RefBusy, RefMoved, RefUnreadable, RefUnsynced, compare_and_set, read_ref
from configsvc.store.repository import own_folder
from configsvc.store.state import Head
from configsvc.store.steptree import Gate, StepTree
from configsvc.store.trees import Tree
from configsvc.store.versions import CommitChanges

_SHOWN_VIOLATIONS = 20
_CLOCK_SLACK_S = 2.0

logger = logging.getLogger(__name__)


class MainFollower:
    """Keeps what is published where `main` is.  Used by the writer's thread only."""

    def __init__(
        self, root: Path, git_dir: Path, publisher: Publisher, reader: ObjectReader, gate: Gate, disk: Disk
    ) -> None:
        self._root = root
        self._git_dir = git_dir
        self._publisher = publisher
        self._reader = reader
        self._gate = gate
        self._disk = disk
        self._refused: tuple[str, StoreDiverged] | None = None

    def follow(self) -> None:
        """Return when `main` is the published head, adopting what may be adopted.

        Raises:
            StoreDiverged: `main` is somewhere it may not be; the message says
                what to do.
        """
        published = self._publisher.snapshot().commit_id
        try:
            current = read_ref(self._git_dir)
        except (OSError, RefUnreadable) as error:
            raise StoreDiverged(f"main: {error}; {_remedy(published)}") from error
        if current == published:
            self._refused = None
            return
        if self._refused is not None and self._refused[0] == current:
            raise self._refused[1]
        try:
            self._adopt(published, current)
        except StoreDiverged as error:
            self._refused = (current, error)
            raise
        except (GitFailed, OSError, RefBusy, RefMoved, RefUnsynced, ObjectMissing) as error:
            # Not a verdict: it is looked at again before the next write.
            raise WriteFailed(
                f"main: moved to {current} by another process, not to be read now: {error}"
            ) from error

    def _adopt(self, published: str, current: str) -> None:
        commits = list(first_parent_commits(self._root, current, after=published))
        if not commits or commits[-1].commit_id.hex() != current:
            raise StoreDiverged(
                f"main: moved to {current} by another process, and the published head {published} "
                f"is not on its first-parent chain; {_remedy(published)}"
            )
        self._judge(commits, current, published)
        make_durable(self._git_dir, self._disk, current)
        revision = self._publisher.snapshot().revision + len(commits)
        head = Head(revision, current, commits[-1].committed_at, load_root(self._reader, current))
        self._publisher.advance(commits, head)
        with contextlib.closing(RecentMessages(self._root, current, len(commits))) as messages:
            landings = load_landings(messages, self._publisher.index)
        self._publisher.requests.add(landings)
        logger.warning("main: moved to %s by another process; adopted %d commits", current, len(commits))

    def _judge(self, commits: Sequence[CommitChanges], current: str, published: str) -> None:
        for commit in commits:
            tree = StepTree(load_root(self._reader, commit.commit_id.hex()), self._reader)
            violations = self._gate(commit.changes, tree)
            if violations:
                shown = "; ".join(map(str, violations[:_SHOWN_VIOLATIONS]))
                raise StoreDiverged(
                    f"main: moved to {current} by another process, and commit {commit.commit_id.hex()[:12]} "
                    f"is refused: {shown}; {_remedy(published)}",
                    details=[violation.as_json() for violation in violations],
                )


def make_durable(git_dir: Path, disk: Disk, current: str) -> None:
    """Sync the objects that `main` stands on, and the ref: what is told of them is promised to last.

    Raises:
        OSError, RefBusy, RefMoved, RefUnsynced: It could not be done.
    """
    sync_objects(git_dir, disk)
    compare_and_set(git_dir, current, current, disk)


def sync_objects(git_dir: Path, disk: Disk) -> None:
    """Sync the objects that others wrote, and their folders.

    Only what came since the last time is synced: a mark in our own folder says when that was.

    Raises:
        OSError: It could not be done.
    """
    mark = own_folder(git_dir) / "synced"
    since_s = mark.stat().st_mtime - _CLOCK_SLACK_S if mark.exists() else 0.0
    objects = git_dir / "objects"
    packs = (path for path in (objects / "pack").iterdir() if path.suffix in (".pack", ".idx"))
    folders = {objects, objects / "pack"}
    started = time.time()
    for path in (*packs, *objects.glob("[0-9a-f][0-9a-f]/*")):
        with contextlib.suppress(FileNotFoundError):  # repacked meanwhile, which syncs what takes its place
            if path.stat().st_mtime >= since_s:
                _sync(path)
                folders.add(path.parent)
    for folder in sorted(folders):
        disk.sync_folder(folder)
    mark.touch()
    os.utime(mark, (started, started))


def load_root(reader: ObjectReader, commit_id: str) -> Tree:
    """Return the root tree of a commit."""
    tree_id = commit_tree(reader.read(bytes.fromhex(commit_id)))
    return Tree(reader.read(tree_id), tree_id)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remedy(published: str) -> str:
    return (
        "keep the other commits on a branch if they matter, then restore main with "
        f"`git -c core.hooksPath=/dev/null update-ref refs/heads/main {published}`; "
        "writes then go on by themselves"
    )
