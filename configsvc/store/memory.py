"""A store in memory with the same contract, for tests and examples.  Nothing is durable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from configsvc.core.changes import COMMITTER, Outcome, Plan, ServiceVersion
from configsvc.core.errors import ConfigError, PathConflict, RequestIdReused, ServiceClosed
from configsvc.core.names import DocumentPath, find_document
from configsvc.store.base import CommitInfo, CommitRecord, Entry, StoreStatus, Write
from configsvc.store.listeners import Listeners, Told
from configsvc.store.objects import object_id
from configsvc.store.requests import request_trailers

Files = dict[str, bytes]
_FIRST = CommitInfo(1, object_id("commit", b"1").hex(), str(COMMITTER), 0, "Start\n")


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """The whole repository at one revision."""

    revision: int
    commit_id: str
    files: Files
    histories: dict[str, tuple[Entry, ...]]
    counts: tuple[int, ...]
    blobs_by_id: dict[str, bytes]
    commits: tuple[CommitInfo, ...] = ()
    changed: tuple[frozenset[str], ...] = (frozenset(),)
    states: tuple[Files, ...] = ({},)

    def find(self, service: str) -> Entry | None:
        history = self.histories.get(service)
        return history[-1] if history else None

    def entry(self, service: str, version: int) -> Entry | None:
        history = self.histories.get(service, ())
        return history[version] if 0 <= version < len(history) else None

    def entries(self, service: str) -> Sequence[Entry]:
        return self.histories.get(service, ())

    def services(self, prefix: str = "", after: str = "") -> Iterator[str]:
        alive = (name for name, history in self.histories.items() if not history[-1].deleted)
        return iter(sorted(name for name in alive if name.startswith(prefix) and name > after))

    def find_at(self, service: str, revision: int) -> Entry | None:
        then = [entry for entry in self.histories.get(service, ()) if entry.revision <= revision]
        return then[-1] if then else None

    def commit(self, revision: int) -> CommitInfo:
        return self.commits[revision - 1]

    def record(self, revision: int) -> CommitRecord:
        info = self.commits[revision - 1]
        return CommitRecord(revision, info.commit_id, info.committed_at, info.author)

    def read_at(self, path: str, revision: int) -> bytes | None:
        return self.states[min(revision, self.revision) - 1].get(path)

    def changed_paths(self, revision: int) -> Iterator[str]:
        return iter(self.changed[revision - 1])

    def made_by(self, revision: int) -> Sequence[Entry]:
        entries = (entry for history in self.histories.values() for entry in history)
        return sorted((entry for entry in entries if entry.revision == revision), key=lambda e: e.service)

    def revision_of(self, name: str) -> int | None:
        return next((each.revision for each in self.commits if each.commit_id == name), None)

    def identity(self, path: str) -> str | None:
        if path in self.files:
            return object_id("blob", self.files[path]).hex()
        below = sorted(item for item in self.files.items() if item[0].startswith(f"{path}/"))
        return object_id("tree", repr(below).encode()).hex() if below else None

    def check_places(self, edits: Mapping[str, bytes | None]) -> None:
        files = dict(self.files)
        for path, content in edits.items():
            _place(files, path, content)

    def service_count(self, revision: int | None = None) -> int:
        return self.counts[(self.revision if revision is None else revision) - 1]

    def blob(self, blob_id: str) -> bytes:
        return self.blobs_by_id[blob_id]

    def blob_in_memory(self, blob_id: str) -> bytes | None:
        return self.blobs_by_id[blob_id]

    def blobs(
        self, blob_ids: Collection[str], *, max_bytes: int | None = None
    ) -> Iterator[tuple[str, bytes]]:
        for blob_id in blob_ids:
            content = self.blobs_by_id[blob_id]
            if max_bytes is None or len(content) <= max_bytes:
                yield blob_id, content

    def folder_files(self, folder: str) -> dict[str, str]:
        paths = {name: f"{folder}/{name}" for name in self.names(folder)}
        return {
            name: object_id("blob", self.files[path]).hex()
            for name, path in paths.items()
            if path in self.files
        }

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def names(self, folder: str) -> frozenset[str]:
        prefix = f"{folder}/" if folder else ""
        below = (path[len(prefix) :] for path in self.files if path.startswith(prefix))
        return frozenset(path.partition("/")[0] for path in below)


@dataclass(slots=True)
class MemoryStore:
    """A `ConfigStore` that forgets everything when it goes."""

    _snapshot: MemorySnapshot = field(
        default_factory=lambda: MemorySnapshot(1, _FIRST.commit_id, {}, {}, (0,), {}, (_FIRST,))
    )
    _landed: dict[tuple[str, str], tuple[str, Outcome]] = field(default_factory=dict)
    _closed: bool = False
    _listeners: Listeners = field(default_factory=Listeners)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards the fields above

    def listen(self, told: Told) -> Callable[[], None]:
        """Tell `told` of what is published; see `ConfigStore.listen`."""
        return self._listeners.add(told)

    def snapshot(self) -> MemorySnapshot:
        """Return the newest revision."""
        return self._snapshot

    def submit(self, write: Write) -> Future[Outcome]:
        """Do `write` at once; see `ConfigStore.submit`."""
        future: Future[Outcome] = Future()
        with self._lock:
            if self._closed:
                raise ServiceClosed("write: the service is shutting down (expected: try again elsewhere)")
            try:
                future.set_result(self._land(write))
            except ConfigError as error:
                future.set_exception(error)
        return future

    def status(self) -> StoreStatus:
        """Return that nothing is wrong."""
        return StoreStatus(self._snapshot.revision)

    def close(self) -> None:
        """Refuse what comes later."""
        with self._lock:
            self._closed = True

    def _land(self, write: Write) -> Outcome:
        key = write.request_key
        if key is not None and key in self._landed:
            digest, outcome = self._landed[key]
            if digest != write.digest:
                raise RequestIdReused(
                    f"request id: {write.request_id!r} belongs to another write (expected: a new id)"
                )
            return outcome
        outcome = self._commit(write, write.plan(self._snapshot))
        if key is not None:
            self._landed[key] = (write.digest, outcome)
        return outcome

    def _commit(self, write: Write, plan: Plan) -> Outcome:
        before = self._snapshot
        files = dict(before.files)
        for path, content in plan.edits.items():
            _place(files, path, content)
        if files == before.files:
            return Outcome(before.revision, before.commit_id, (), changed=False)
        revision = before.revision + 1
        commit_id = object_id("commit", f"{before.commit_id} {revision}".encode()).hex()
        histories, made = dict(before.histories), []
        blobs = dict(before.blobs_by_id)
        for service in sorted(
            {found.service for found in map(find_document, plan.edits) if found is not None}
        ):
            entry = _next_entry(service, files, histories, revision)
            if entry is not None:
                histories[service] = (*histories.get(service, ()), entry)
                made.append(ServiceVersion(service, entry.version, entry.deleted))
        for content in plan.edits.values():
            if content is not None:
                blobs[object_id("blob", content).hex()] = content
        count = sum(1 for history in histories.values() if not history[-1].deleted)
        message = plan.full_message(request_trailers(write.request_id, write.digest))
        info = CommitInfo(revision, commit_id, str(write.author), int(time.time()), message)
        changed = frozenset(path for path in plan.edits if files.get(path) != before.files.get(path))
        self._snapshot = MemorySnapshot(
            revision,
            commit_id,
            files,
            histories,
            (*before.counts, count),
            blobs,
            (*before.commits, info),
            (*before.changed, changed),
            (*before.states, files),
        )
        self._listeners.tell(changed)
        return Outcome(revision, commit_id, tuple(made))


def _place(files: Files, path: str, content: bytes | None) -> None:
    if content is None:
        files.pop(path, None)
        return
    for other in files:
        if other.startswith(f"{path}/"):
            raise PathConflict(f"path: {path!r} is a folder (expected: a file)", [{"path": path}])
        if path.startswith(f"{other}/"):
            raise PathConflict(f"path: {other!r} is a file (expected: a folder)", [{"path": other}])
    files[path] = content


def _next_entry(
    service: str, files: Files, histories: dict[str, tuple[Entry, ...]], revision: int
) -> Entry | None:
    history = histories.get(service, ())
    before = history[-1] if history else None
    found = next(
        (f for f in map(find_document, (f"{service}.json", f"{service}.yaml")) if _is_there(f, files)), None
    )
    format_ = None if found is None else found.format
    blob_id = None if found is None else object_id("blob", files[f"{service}.{found.format.value}"]).hex()
    if before is None and blob_id is None:
        return None
    if before is not None and (before.format, before.blob_id) == (format_, blob_id):
        return None
    version = len(history)
    born = before.born if before is not None and not before.deleted else version
    ordinal = before.ordinal if before is not None else len(histories) + 1
    return Entry(service, version, revision, format_, blob_id, born, ordinal)


def _is_there(found: DocumentPath | None, files: Files) -> bool:
    return found is not None and f"{found.service}.{found.format.value}" in files
