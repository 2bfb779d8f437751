"""The version index: which commit and blob is version *k* of a service.

Versions are counted over the first-parent commits of `main`: one for each
after which the service's (format, blob) differs from before.  The index is
fed in that order, by the writer as it lands commits or from `git log` at
start, and both give the same index.

All of it is flat arrays of integers and ids, no Python object per version:
100,000 versions take some 5 MB.  It only grows.  Readers hold a revision and
look no further, so they need no lock: what belongs to a revision is appended
before that revision is published.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from configsvc.core.names import DocumentPath, Format, find_document
from configsvc.core.trees import REGULAR, PathChange
from configsvc.store.base import CommitRecord, Entry

ID_BYTES = 20
_FORMATS = (None, Format.JSON, Format.YAML)
_CODES = {Format.JSON: 1, Format.YAML: 2}
_TOMBSTONE = 0


class CommitChanges(NamedTuple):
    """One first-parent commit as the index takes it."""

    commit_id: bytes
    committed_at: int
    author: str
    changes: tuple[PathChange, ...]


@dataclass(slots=True)
class ServiceHistory:
    """All versions of one service: parallel arrays, the version is the place in them.

    Args:
        slots: Number of the blob, times four, plus the format's code; 0 marks
            a tombstone.
        births: Versions at which a life began.
    """

    service: str
    ordinal: int
    revisions: array[int]
    slots: array[int]
    births: list[int]


class VersionIndex:
    """Versions of every service.  One thread feeds it; any may read."""

    def __init__(self) -> None:
        self.services: dict[str, ServiceHistory] = {}
        self.blobs = bytearray()
        self.commits = bytearray()
        self.times = array("q")
        self.author_numbers = array("I")
        self.authors: list[str] = []
        self.counts = array("I")
        # Ordinals of the services that got a version, revision after revision, and where each
        # revision's end.
        self.touched = array("I")
        self.touched_ends = array("I")
        # Blobs of paths that are nobody's document, and of a YAML file that a
        # JSON file of the same service hides: asked only by `known`.
        self.other_files: dict[str, array[int]] = {}
        self.hidden: dict[str, bytes] = {}
        self._author_numbers: dict[str, int] = {}
        self._sorted: list[str] = []
        self._by_ordinal: list[ServiceHistory] = []

    @property
    def revision(self) -> int:
        """Newest revision that was fed; 0 when none was."""
        return len(self.counts)

    def feed(self, commit: CommitChanges) -> None:
        """Take the next first-parent commit."""
        revision = self.revision + 1
        count = self.counts[-1] if self.counts else 0
        documents: dict[str, dict[Format, bytes | None]] = {}
        # Path order makes ordinals the same whoever feeds: git's own order of a diff.
        for change in _in_path_order(commit.changes):
            document = find_document(change.path)
            blob_id = change.blob_id if change.mode in REGULAR else None
            if document is None:
                self._note_other(change.path, blob_id)
            else:
                documents.setdefault(document.service, {})[document.format] = blob_id
        for service, changed in documents.items():
            count += self._feed_service(service, changed, revision)
        self.commits += commit.commit_id
        self.times.append(commit.committed_at)
        self.author_numbers.append(self._author_number(commit.author))
        self.touched_ends.append(len(self.touched))
        self.counts.append(count)

    def _feed_service(self, service: str, changed: dict[Format, bytes | None], revision: int) -> int:
        history = self.services.get(service)
        before = None if history is None else self._state(history)
        after = self._after(service, before, changed)
        if after == before:
            return 0
        if history is None:
            history = ServiceHistory(service, len(self.services) + 1, array("I"), array("I"), [])
            self._by_ordinal.append(history)
        if before is None:
            history.births.append(len(history.slots))
        # A reader measures a history by its revisions, so they come last.
        history.slots.append(_TOMBSTONE if after is None else self._add_blob(after[1]) * 4 + _CODES[after[0]])
        history.revisions.append(revision)
        self.touched.append(history.ordinal)
        self.services[service] = history
        return (after is not None) - (before is not None)

    def _after(
        self, service: str, before: tuple[Format, bytes] | None, changed: dict[Format, bytes | None]
    ) -> tuple[Format, bytes] | None:
        """Return which document a service has after a commit that changed some of its files."""
        if len(changed) == 1 and service not in self.hidden and (before is None or before[0] in changed):
            ((format_, blob_id),) = changed.items()  # the only file it had, or has
            return None if blob_id is None else (format_, blob_id)
        present = {Format.JSON: None, Format.YAML: self.hidden.get(service)}
        if before is not None:
            present[before[0]] = before[1]
        present |= changed
        after = effective(present[Format.JSON], present[Format.YAML])
        self._note_hidden(service, present, after)
        return after

    def find(self, service: str, revision: int) -> Entry | None:
        """Return the newest version of `service` at `revision`, tombstones included."""
        history = self.services.get(service)
        if history is None:
            return None
        revisions = history.revisions
        count = len(revisions)
        if revisions[count - 1] > revision:
            count = bisect_right(revisions, revision, 0, count)
        return self._entry(history, count - 1) if count else None

    def entry(self, service: str, version: int, revision: int) -> Entry | None:
        """Return one version of `service`, None when there was none at `revision`."""
        history = self.services.get(service)
        if history is None or not 0 <= version < len(history.revisions):
            return None
        return self._entry(history, version) if history.revisions[version] <= revision else None

    def version_count(self, service: str, revision: int) -> int:
        """Return how many versions `service` had at `revision`, tombstones included."""
        history = self.services.get(service)
        return 0 if history is None else bisect_right(history.revisions, revision)

    def names(self, prefix: str, revision: int, after: str = "") -> Iterator[str]:
        """Yield the services at `revision` that start with `prefix` and come after `after`, sorted."""
        if len(self._sorted) != len(self.services):
            self._sorted = sorted(self.services)
        names = self._sorted
        start = max(bisect_left(names, prefix), bisect_right(names, after) if after else 0)
        for place in range(start, len(names)):
            name = names[place]
            if not name.startswith(prefix):
                return
            found = self.find(name, revision)
            if found is not None and not found.deleted:
                yield name

    def made_by(self, revision: int) -> tuple[Entry, ...]:
        """Return the versions that a revision made, sorted by service."""
        start = self.touched_ends[revision - 2] if revision > 1 else 0
        histories = (
            self._by_ordinal[ordinal - 1] for ordinal in self.touched[start : self.touched_ends[revision - 1]]
        )
        made = (self._entry(each, bisect_left(each.revisions, revision)) for each in histories)
        return tuple(sorted(made, key=lambda entry: entry.service))

    def revision_of(self, commit_id: bytes, revision: int) -> int | None:
        """Return the revision, up to `revision`, whose commit has this id; None when there is none."""
        place, end = self.commits.find(commit_id), revision * ID_BYTES
        while 0 <= place < end and place % ID_BYTES:  # the id's bytes, but across two others
            place = self.commits.find(commit_id, place + 1)
        return place // ID_BYTES + 1 if 0 <= place < end else None

    def record(self, revision: int) -> CommitRecord:
        """Return what is known of a revision's commit; `revision` is from 1 to the newest."""
        place = revision - 1
        return CommitRecord(
            revision=revision,
            commit_id=self.commits[place * ID_BYTES : revision * ID_BYTES].hex(),
            committed_at=self.times[place],
            author=self.authors[self.author_numbers[place]],
        )

    def known(self, path: str, blob_id: bytes) -> bool:
        """Return whether `blob_id` was ever committed at `path` on main."""
        document = find_document(path)
        if document is not None and self._was_version(document, blob_id):
            return True
        return any(self._blob(number) == blob_id for number in reversed(self.other_files.get(path, ())))

    def _was_version(self, document: DocumentPath, blob_id: bytes) -> bool:
        history = self.services.get(document.service)
        code = _CODES[document.format]
        slots = reversed(history.slots) if history is not None else ()
        blobs = self.blobs
        return any(slot & 3 == code and blobs.startswith(blob_id, (slot >> 2) * ID_BYTES) for slot in slots)

    def _state(self, history: ServiceHistory) -> tuple[Format, bytes] | None:
        slot = history.slots[-1]
        format_ = _FORMATS[slot & 3]
        return None if format_ is None else (format_, self._blob(slot >> 2))

    def _entry(self, history: ServiceHistory, version: int) -> Entry:
        slot = history.slots[version]
        format_ = _FORMATS[slot & 3]
        births = history.births
        born = births[0] if len(births) == 1 else births[bisect_right(births, version) - 1]
        blob_id = None if format_ is None else self._blob(slot >> 2).hex()
        return Entry(
            history.service, version, history.revisions[version], format_, blob_id, born, history.ordinal
        )

    def _note_other(self, path: str, blob_id: bytes | None) -> None:
        if blob_id is not None:
            self.other_files.setdefault(path, array("I")).append(self._add_blob(blob_id))

    def _note_hidden(
        self, service: str, present: dict[Format, bytes | None], after: tuple[Format, bytes] | None
    ) -> None:
        hidden = present[Format.YAML] if after is not None and after[0] is Format.JSON else None
        if hidden is None:
            self.hidden.pop(service, None)
        elif self.hidden.get(service) != hidden:
            self.hidden[service] = hidden
            self._note_other(f"{service}.yaml", hidden)

    def _add_blob(self, blob_id: bytes) -> int:
        number = len(self.blobs) // ID_BYTES
        self.blobs += blob_id
        return number

    def _blob(self, number: int) -> bytes:
        return bytes(self.blobs[number * ID_BYTES : (number + 1) * ID_BYTES])

    def _author_number(self, author: str) -> int:
        number = self._author_numbers.get(author)
        if number is None:
            number = self._author_numbers[author] = len(self.authors)
            self.authors.append(author)
        return number

    def restore_lookups(self) -> None:
        """Rebuild what is derived after the histories and authors were filled from a file."""
        self._author_numbers = {author: number for number, author in enumerate(self.authors)}
        self._by_ordinal = list(self.services.values())
        made = sorted(
            revision << 32 | each.ordinal for each in self._by_ordinal for revision in each.revisions
        )
        self.touched = array("I", [key & 0xFFFFFFFF for key in made])
        counts = [0] * self.revision
        for key in made:
            counts[(key >> 32) - 1] += 1
        self.touched_ends = array("I", accumulate(counts))


def _in_path_order(changes: tuple[PathChange, ...]) -> Sequence[PathChange]:
    if len(changes) < 2:
        return changes
    return sorted(changes, key=lambda change: change.path.encode("utf-8", "surrogateescape"))


def effective(json_blob: bytes | None, yaml_blob: bytes | None) -> tuple[Format, bytes] | None:
    """Return which document a service has: its JSON file hides a YAML file, which the gate refuses."""
    if json_blob is not None:
        return Format.JSON, json_blob
    return None if yaml_blob is None else (Format.YAML, yaml_blob)
