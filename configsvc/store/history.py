"""First-parent history read from git, for the version index and the table of request ids."""

from __future__ import annotations

import os
from binascii import unhexlify
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from configsvc.core.changes import COMMITTER
from configsvc.core.trees import PathChange
from configsvc.store.gitcommand import RunningGit, stream_records
from configsvc.store.versions import CommitChanges

FIRST_PARENT_LOG = (
    "-c",
    "log.showSignature=false",
    "log",
    "-z",
    "--first-parent",
    "--no-color",
    "--encoding=UTF-8",
)
"""`git log` along the first parents, one record a NUL, whatever settings its user has."""

PIECE_COMMITS = 4000
"""How much of a long history one git process reads: what it says of so many commits, a pipe holds."""

LAST_MOMENT_S = 253_402_300_799
"""The end of the year 9999."""

_CHANGES = (
    "--raw",
    "--root",
    "--no-renames",
    "--no-abbrev",
    "--diff-merges=first-parent",
    "--reverse",
    "--format=%H %P%n%ct %an <%ae>",
)


# Comparing trees is most of the work, and a git process uses one processor.
_PROCESSES = min(os.cpu_count() or 1, 4)


def first_parent_commits(root: Path, head: str, after: str | None = None) -> Iterator[CommitChanges]:
    """Yield the first-parent commits up to `head`, oldest first, with what each changed.

    Args:
        after: Yield only what came after this commit.  When it is not on the
            first-parent chain of `head`, nothing is yielded.

    Raises:
        GitFailed: git could not read the history.
    """
    expected = after
    for commit, first_parent in _parsed(_records(root, head, after)):
        if expected is not None and first_parent != expected:
            return
        expected = None
        yield commit


class RecentMessages:
    """Messages of the newest first-parent commits, which git begins to read at once; see `__iter__`.

    Close it.

    Args:
        limit: How many commits are looked at.
    """

    def __init__(self, root: Path, head: str, limit: int) -> None:
        form = (f"--max-count={limit}", "--format=%H %ce%n%an%n%B")
        self._running = RunningGit(root, (*FIRST_PARENT_LOG, *form, head, "--"))

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Yield commit id, author's name and message, newest first; once.

        Only of the writer's own: what others committed may say anything.

        Raises:
            GitFailed: The history cannot be read.
        """
        for record in self._running.records():
            first, author, message = record.decode("utf-8", "replace").split("\n", 2)
            commit_id, _, committer = first.partition(" ")
            if committer == COMMITTER.email:
                yield commit_id, author, message

    def close(self) -> None:
        """Let go of git.  Closing twice is harmless."""
        self._running.close()


def moment(text: str) -> int:
    """Return the time of a commit, seconds since the epoch, as git prints it.

    What is none, or later than any calendar goes, may stand in a history that was adopted.
    """
    return min(int(text), LAST_MOMENT_S) if text.isdecimal() else 0


def _records(root: Path, head: str, after: str | None) -> Iterator[bytes]:
    if after is not None:
        yield from stream_records(root, (*FIRST_PARENT_LOG, *_CHANGES, f"{after}..{head}", "--"))
        return
    ends = _piece_ends(root, head)
    running: deque[RunningGit] = deque()
    try:
        while ends or running:
            while ends and len(running) < _PROCESSES:
                piece = (*FIRST_PARENT_LOG, *_CHANGES, f"--max-count={PIECE_COMMITS}", ends.pop(), "--")
                running.append(RunningGit(root, piece))
            yield from running[0].records()
            running.popleft().close()
    finally:
        for each in running:
            each.close()


def _piece_ends(root: Path, head: str) -> list[str]:
    """Return the newest commit of each piece of the history, newest first."""
    ids = stream_records(root, (*FIRST_PARENT_LOG, "--format=%H", head, "--"))
    return [commit_id.decode("ascii") for commit_id in islice(ids, 0, None, PIECE_COMMITS)]


def _parsed(records: Iterator[bytes]) -> Iterator[tuple[CommitChanges, str]]:
    header = b""
    changes: list[PathChange] = []
    for record in records:
        if record.startswith((b":", b"\n:")):
            changes.append(_change(record, next(records)))
        elif record:
            if header:
                yield _commit(header, changes)
            header, changes = record, []
    if header:
        yield _commit(header, changes)


def _change(record: bytes, path: bytes) -> PathChange:
    _, mode, _, blob_id, status = record.split(b" ")
    name = path.decode("utf-8", "surrogateescape")
    if status.startswith(b"D"):
        return PathChange(name, None, None)
    return PathChange(name, int(mode, 8), unhexlify(blob_id))


def _commit(header: bytes, changes: list[PathChange]) -> tuple[CommitChanges, str]:
    ids, _, rest = header.decode("utf-8", "replace").partition("\n")
    commit_id, _, parents = ids.partition(" ")
    committed_at, _, author = rest.partition(" ")
    commit = CommitChanges(unhexlify(commit_id), moment(committed_at), author, tuple(changes))
    return commit, parents.partition(" ")[0]
