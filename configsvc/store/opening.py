"""What is loaded when a store is opened: the version index and recent request ids."""

from __future__ import annotations

import logging
from pathlib import Path

from configsvc.core.changes import Outcome, ServiceVersion
from configsvc.core.errors import RepositoryUnusable
from configsvc.store.gitcommand import GitFailed
from configsvc.store.history import RecentMessages, first_parent_commits
from configsvc.store.requests import Landing, read_request_trailers
from configsvc.store.versionfile import VersionFileInvalid, load_versions
from configsvc.store.versions import ID_BYTES, VersionIndex

MAX_REMEMBERED = 10_000
"""Commits searched for request ids at start."""

logger = logging.getLogger(__name__)


def load_index(root: Path, path: Path, head: str) -> tuple[VersionIndex, int]:
    """Return the version index up to `head`: from its file when that is of use, else from git.

    Returns:
        The index, and the revision that its file describes; 0 when that is of no use.

    Raises:
        RepositoryUnusable: The history cannot be read.
    """
    try:
        return _continued(root, path, head) or (_built(root, head), 0)
    except GitFailed as error:
        raise RepositoryUnusable(f"repository: {root}: history not readable: {error}") from error


def load_landings(messages: RecentMessages, index: VersionIndex) -> list[Landing]:
    """Return the request ids of the newest commits with their outcomes, oldest first.

    Args:
        index: Fed up to the newest of them.

    Raises:
        GitFailed: The history cannot be read.
    """
    found = []
    for commit_id, author, message in messages:
        request = read_request_trailers(message)
        if request is not None:
            found.append((commit_id, author, *request))
    if not found:
        return []
    revisions = _revisions_of({commit_id for commit_id, *_ in found}, index)
    made = _versions_made(set(revisions.values()), index)
    landings = []
    for commit_id, author, request_id, digest in reversed(found):
        revision = revisions[commit_id]
        outcome = Outcome(revision, commit_id, tuple(made.get(revision, ())))
        landings.append(Landing(author, request_id, digest, outcome))
    return landings


def _continued(root: Path, path: Path, head: str) -> tuple[VersionIndex, int] | None:
    try:
        index = load_versions(path)
    except VersionFileInvalid as error:
        if path.exists():
            logger.warning("version index: not used, read from history instead: %s", error)
        return None
    described, saved_revision = bytes(index.commits[-ID_BYTES:]).hex(), index.revision
    if described == head:
        return index, saved_revision
    fed = None
    try:
        for commit in first_parent_commits(root, head, after=described):
            index.feed(commit)
            fed = commit.commit_id.hex()
    except GitFailed as error:
        logger.warning("version index: not used, read from history instead: %s", error)
        return None
    return (index, saved_revision) if fed == head else None


def _built(root: Path, head: str) -> VersionIndex:
    index = VersionIndex()
    for commit in first_parent_commits(root, head):
        index.feed(commit)
    return index


def _revisions_of(commit_ids: set[str], index: VersionIndex) -> dict[str, int]:
    revisions = {}
    for revision in range(index.revision, max(index.revision - MAX_REMEMBERED, 0), -1):
        commit_id = bytes(index.commits[(revision - 1) * ID_BYTES : revision * ID_BYTES]).hex()
        if commit_id in commit_ids:
            revisions[commit_id] = revision
    return revisions


def _versions_made(revisions: set[int], index: VersionIndex) -> dict[int, list[ServiceVersion]]:
    oldest = min(revisions)
    made: dict[int, list[ServiceVersion]] = {}
    for service, history in sorted(index.services.items()):
        for version in range(len(history.revisions) - 1, -1, -1):
            revision = history.revisions[version]
            if revision < oldest:
                break
            if revision in revisions:
                made.setdefault(revision, []).append(
                    ServiceVersion(service, version, history.slots[version] == 0)
                )
    return made
