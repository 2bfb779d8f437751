"""First-parent history read from git, for the version index and the table of request ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from configsvc.core.changes import COMMITTER
from configsvc.core.trees import PathChange
from configsvc.store.gitcommand import stream_records
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


def first_parent_commits(root: Path, head: str, after: str | None = None) -> Iterator[CommitChanges]:
    """Yield the first-parent commits up to `head`, oldest first, with what each changed.

    Args:
        after: Yield only what came after this commit.  When it is not on the
            first-parent chain of `head`, nothing is yielded.

    Raises:
        GitFailed: git could not read the history.
    """
    expected = after
    for commit, first_parent in _parsed(root, head if after is None else f"{after}..{head}"):
        if expected is not None and first_parent != expected:
            return
        expected = None
        yield commit


def recent_messages(root: Path, head: str, limit: int) -> Iterator[tuple[str, str, str]]:
    """Yield commit id, author's name and message of the newest first-parent commits, newest first.

    Only of the writer's own: what others committed may say anything.

    Args:
        limit: How many are looked at.
    """
    for record in stream_records(
        root, (*FIRST_PARENT_LOG, f"--max-count={limit}", "--format=%H %ce%n%an%n%B", head, "--")
    ):
        first, author, message = record.decode("utf-8", "replace").split("\n", 2)
        commit_id, _, committer = first.partition(" ")
        if committer == COMMITTER.email:
            yield commit_id, author, message


def moment(text: str) -> int:
    """Return the time of a commit, seconds since the epoch, as git prints it.

    What is none, or later than any calendar goes, may stand in a history that was adopted.
    """
    return min(int(text), LAST_MOMENT_S) if text.isdecimal() else 0


def _parsed(root: Path, range_: str) -> Iterator[tuple[CommitChanges, str]]:
    records = stream_records(root, (*FIRST_PARENT_LOG, *_CHANGES, range_, "--"))
    header = b""
    changes: list[PathChange] = []
    for record in records:
        if record.lstrip(b"\n").startswith(b":"):
            changes.append(_change(record, next(records)))
        elif record:
            if header:
                yield _commit(header, changes)
            header, changes = record, []
    if header:
        yield _commit(header, changes)


def _change(record: bytes, path: bytes) -> PathChange:
    _, mode, _, blob_id, status = record.lstrip(b"\n").split(b" ")
    gone = status.startswith(b"D")
    return PathChange(
        path=path.decode("utf-8", "surrogateescape"),
        mode=None if gone else int(mode, 8),
        blob_id=None if gone else bytes.fromhex(blob_id.decode("ascii")),
    )


def _commit(header: bytes, changes: list[PathChange]) -> tuple[CommitChanges, str]:
    ids, _, rest = header.decode("utf-8", "replace").partition("\n")
    commit_id, *parents = ids.split()
    committed_at, _, author = rest.partition(" ")
    commit = CommitChanges(bytes.fromhex(commit_id), moment(committed_at), author, tuple(changes))
    return commit, parents[0] if parents else ""
