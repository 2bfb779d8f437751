"""The trail of changes in git's history: what an auditor reads, whoever made the changes.

Needs neither the server nor its lock: it reads what is committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from configsvc.core.changes import COMMITTER
from configsvc.core.errors import RepositoryUnusable
from configsvc.core.names import META_FOLDER, Format, document_path, meta_path
from configsvc.store.gitcommand import GitFailed, git, stream_records
from configsvc.store.history import FIRST_PARENT_LOG, moment
from configsvc.store.refs import MAIN

_FORMAT = "%H%n%ct%n%an%n%ae%n%cn%n%ce%n%B"
_SCHEMAS = f"{META_FOLDER}/schemas"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a commit names."""

    name: str
    email: str

    def is_called(self, name: str) -> bool:
        """Return whether `name` is the name or the address."""
        return name in (self.name, self.email)


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One first-parent commit of main.

    Args:
        revision: Its number, from 1.
        committed_at: Seconds since the epoch.
        author: The principal, for a write over HTTP and for a merge that landed a push.
        committer: The service itself for those; else whoever made the commit that was pushed.
    """

    revision: int
    commit_id: str
    committed_at: int
    author: Identity
    committer: Identity
    message: str

    @property
    def is_vouched(self) -> bool:
        """Whether the service wrote these names; of a push that lands as it is, the pusher did."""
        return self.committer.email == COMMITTER.email


def read_trail(
    root: Path, *, principal: str = "", since_s: float | None = None, service: str = "", limit: int = 100
) -> list[TrailEntry]:
    """Return the newest changes, newest first.

    Args:
        principal: Only what names this one, by name or address, as author or committer.
        since_s: Only what was committed from then on, seconds since the epoch.
        service: Only what touched the document, the meta or the schema of this service.
        limit: At most so many.

    Raises:
        RepositoryUnusable: git could not read the history.
    """
    try:
        return _read(root, principal, since_s, service, limit)
    except GitFailed as error:
        raise RepositoryUnusable(f"repository: {root}: {error} (expected: a history on main)") from error


def _read(root: Path, principal: str, since_s: float | None, service: str, limit: int) -> list[TrailEntry]:
    found: list[tuple[str, int, Identity, Identity, str]] = []
    for commit_id, moment_s, author, committer, message in _commits(root, since_s, service):
        if principal and not (author.is_called(principal) or committer.is_called(principal)):
            continue
        if len(found) < limit:
            found.append((commit_id, moment_s, author, committer, message))
    revisions = _revisions(root, {each[0] for each in found})
    return [TrailEntry(revisions[each[0]], *each) for each in found]


def _commits(
    root: Path, since_s: float | None, service: str
) -> Iterator[tuple[str, int, Identity, Identity, str]]:
    since = () if since_s is None else (f"--since={int(since_s)}",)
    for record in stream_records(
        root, (*FIRST_PARENT_LOG, f"--format={_FORMAT}", *since, MAIN, "--", *_paths(service))
    ):
        commit_id, time, *names, message = record.decode("utf-8", "replace").split("\n", 6)
        author, committer = Identity(*names[:2]), Identity(*names[2:])
        yield commit_id, moment(time), author, committer, message.strip("\n")


def _paths(service: str) -> list[str]:
    if not service:
        return []
    paths = [
        *(document_path(service, each) for each in Format),
        meta_path(service),
        f"{_SCHEMAS}/{service}.json",
    ]
    return [f":(top,literal){path}" for path in paths]


def _revisions(root: Path, wanted: set[str]) -> dict[str, int]:
    listed = git(root, "rev-list", "--first-parent", "--reverse", MAIN, "--").decode("ascii").split()
    return {commit_id: place + 1 for place, commit_id in enumerate(listed) if commit_id in wanted}
