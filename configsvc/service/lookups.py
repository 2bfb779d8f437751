"""What of the history is meant: revisions by name, versions by number, and two of them compared."""

from __future__ import annotations

from configsvc.core.errors import RevisionNotFound, ServiceNotFound, VersionNotFound
from configsvc.core.names import document_path
from configsvc.documents.difference import difference
from configsvc.documents.textdiff import unified_diff
from configsvc.service.service import ConfigService
from configsvc.store.base import Entry, Snapshot

_NOTHING: dict[str, object] = {}


def find_revision(snapshot: Snapshot, name: str) -> int:
    """Return the revision of a commit or tag.

    Raises:
        RevisionNotFound: There is none on main's first-parent chain.
    """
    revision = snapshot.revision_of(name)
    if revision is None:
        raise commit_not_found(name)
    return revision


def commit_not_found(name: str) -> RevisionNotFound:
    """Return the refusal of a commit that does not exist, or is not to be seen."""
    return RevisionNotFound(f"commit: {name[:80]!a} is no commit or tag of main's history")


def newest_entry(snapshot: Snapshot, service: str) -> Entry:
    """Return the newest version of a service, be it the mark of its deletion.

    Raises:
        ServiceNotFound: There never was one.
    """
    newest = snapshot.find(service)
    if newest is None:
        raise ServiceNotFound(f"service: {service!r} does not exist")
    return newest


def any_entry(snapshot: Snapshot, service: str, version: int) -> Entry:
    """Return a version of a service, be it the mark of a deletion.

    Raises:
        ServiceNotFound, VersionNotFound: There is none.
    """
    newest = newest_entry(snapshot, service)
    entry = snapshot.entry(service, version)
    if entry is None:
        raise VersionNotFound(
            f"version: {version} of {service} does not exist (expected: 0 to {newest.version})"
        )
    return entry


class Comparison:
    """Two versions of a service.

    Args:
        first: Version to start from; None for the one before `last`.
        last: Version to end at; None for the newest.

    Raises:
        ServiceNotFound, VersionNotFound: One of them does not exist.
    """

    def __init__(
        self, config: ConfigService, snapshot: Snapshot, service: str, first: int | None, last: int | None
    ) -> None:
        self._config = config
        self._snapshot = snapshot
        self._new = newest_entry(snapshot, service) if last is None else any_entry(snapshot, service, last)
        self._old = _before(snapshot, self._new) if first is None else any_entry(snapshot, service, first)

    def text(self) -> str:
        """Return the unified diff; of two formats, that the one file went and the other came."""
        old, new = self._old, self._new
        if old is None or old.format is None or new.format in (None, old.format):
            known = new if new.format is not None else old
            return "" if known is None else self._one_file(old, new, known)
        return self._one_file(old, None, old) + self._one_file(None, new, new)

    def operations(self) -> list[dict[str, object]]:
        """Return the operations of a JSON Patch.

        Raises:
            VersionDeleted: One of them is the mark of a deletion.
            DocumentBroken: One of them does not parse.
        """
        before = _NOTHING if self._old is None else self._config.value(self._snapshot, self._old)
        return difference(before, self._config.value(self._snapshot, self._new))

    def _one_file(self, old: Entry | None, new: Entry | None, named: Entry) -> str:
        if named.format is None:
            return ""
        path = document_path(named.service, named.format)
        return unified_diff(path, self._data(old), self._data(new))

    def _data(self, entry: Entry | None) -> bytes | None:
        return None if entry is None or entry.deleted else self._config.document(self._snapshot, entry)


def _before(snapshot: Snapshot, entry: Entry) -> Entry | None:
    return snapshot.entry(entry.service, entry.version - 1) if entry.version else None
