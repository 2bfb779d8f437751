"""The repository at one moment, as readers and plans see it.

`State` is a root tree and a way to look up versions.  A `StoreSnapshot` is a
state that was published; a `BatchState` is one under construction, ahead of
what is published by the writes its batch has taken so far.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

from configsvc.core.names import Format, document_path, find_document
from configsvc.core.trees import REGULAR, PathChange
from configsvc.store.base import CommitInfo, CommitRecord, Entry
from configsvc.store.objects import Objects, commit_message_of, commit_tree, object_id
from configsvc.store.reader import ObjectReader, is_commit_id
from configsvc.store.treediff import differing_paths
from configsvc.store.trees import Tree, TreeEntry, edited, find_entry, find_folder, walk
from configsvc.store.versions import VersionIndex, effective


class Head(NamedTuple):
    """The newest durable revision, swapped in one step when a batch is published."""

    revision: int
    commit_id: str
    committed_at: int
    root: Tree


class StoreSnapshot:
    """The whole repository at one revision.  Thread-safe; never changes."""

    def __init__(self, head: Head, index: VersionIndex, reader: ObjectReader) -> None:
        self.head = head
        self._index = index
        self.reader = reader

    @property
    def revision(self) -> int:
        return self.head.revision

    @property
    def commit_id(self) -> str:
        return self.head.commit_id

    def find(self, service: str) -> Entry | None:
        return self._index.find(service, self.head.revision)

    def entry(self, service: str, version: int) -> Entry | None:
        return self._index.entry(service, version, self.head.revision)

    def entries(self, service: str) -> Sequence[Entry]:
        return EntrySequence(self._index, service, self.head.revision)

    def find_at(self, service: str, revision: int) -> Entry | None:
        return self._index.find(service, min(revision, self.head.revision))

    def services(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return self._index.names(prefix, self.head.revision, after)

    def commit(self, revision: int) -> CommitInfo:
        record = self._index.record(revision)
        content = self.reader.read(bytes.fromhex(record.commit_id))
        return CommitInfo(
            revision, record.commit_id, record.author, record.committed_at, commit_message_of(content)
        )

    def read_at(self, path: str, revision: int) -> bytes | None:
        if revision >= self.revision:
            return self.read(path)
        identity = self._tree_of(revision)
        root = Tree(self.reader.read(identity), identity)
        entry = find_entry(root, encode_path(path), self.reader.read)
        return None if entry is None or entry.mode not in REGULAR else self.reader.blob(entry.id)

    def changed_paths(self, revision: int) -> Iterator[str]:
        before = self._tree_of(revision - 1) if revision > 1 else None
        return differing_paths(before, self._tree_of(revision), self.reader.read)

    def _tree_of(self, revision: int) -> bytes:
        return commit_tree(self.reader.read(bytes.fromhex(self._index.record(revision).commit_id)))

    def made_by(self, revision: int) -> Sequence[Entry]:
        return self._index.made_by(revision)

    def revision_of(self, name: str) -> int | None:
        commit_id = name if is_commit_id(name) else self.reader.find_tagged(name)
        if commit_id is None:
            return None
        return self._index.revision_of(bytes.fromhex(commit_id), self.head.revision)

    def check_places(self, edits: Mapping[str, bytes | None]) -> None:
        blobs = {
            encode_path(path): None if data is None else object_id("blob", data)
            for path, data in edits.items()
        }
        edited(self.head.root, blobs, self.reader.read, Objects())

    def service_count(self, revision: int | None = None) -> int:
        return self._index.counts[(self.head.revision if revision is None else revision) - 1]

    def record(self, revision: int) -> CommitRecord:
        """Return commit id, time and author of a revision up to this one."""
        return self._index.record(revision)

    def blob(self, blob_id: str) -> bytes:
        return self.reader.blob(bytes.fromhex(blob_id))

    def blob_in_memory(self, blob_id: str) -> bytes | None:
        return self.reader.find_kept(bytes.fromhex(blob_id))

    def blobs(
        self, blob_ids: Collection[str], *, max_bytes: int | None = None
    ) -> Iterator[tuple[str, bytes]]:
        for identity, content in self.reader.blobs(map(bytes.fromhex, blob_ids), max_bytes=max_bytes):
            yield identity.hex(), content

    def folder_files(self, folder: str) -> Mapping[str, str]:
        tree = self.tree_folder(folder)
        found = {} if tree is None else {name: tree.find(name) for name in tree.names()}
        return {
            name.decode("utf-8", "surrogateescape"): entry.id.hex()
            for name, entry in found.items()
            if entry is not None and entry.mode in REGULAR
        }

    def read(self, path: str) -> bytes | None:
        entry = self.tree_entry(path)
        return None if entry is None or entry.mode not in REGULAR else self.reader.blob(entry.id)

    def names(self, folder: str) -> frozenset[str]:
        tree = self.tree_folder(folder)
        return frozenset() if tree is None else decoded_names(tree)

    def identity(self, path: str) -> str | None:
        return _identity(self.tree_entry(path))

    def tree_entry(self, path: str) -> TreeEntry | None:
        """Return mode and 20-byte id of what stands at `path`."""
        return find_entry(self.head.root, encode_path(path), self.reader.read)

    def tree_folder(self, folder: str) -> Tree | None:
        """Return the folder at a path; "" is the root."""
        return find_folder(self.head.root, encode_path(folder), self.reader.read)

    def walk(self) -> Iterator[tuple[str, TreeEntry]]:
        """Yield path, and mode and id, of every file."""
        for path, entry in walk(self.head.root, self.reader.read):
            yield path.decode("utf-8", "surrogateescape"), entry


class EntrySequence(Sequence[Entry]):
    """The versions of a service, made one by one as they are asked for."""

    def __init__(self, index: VersionIndex, service: str, revision: int) -> None:
        self._index = index
        self._service = service
        self._revision = revision
        self._count = index.version_count(service, revision)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        if isinstance(place, slice):
            return [self[version] for version in range(*place.indices(self._count))]
        version = place + self._count if place < 0 else place
        entry = self._index.entry(self._service, version, self._revision) if version >= 0 else None
        if entry is None:
            raise IndexError(place)
        return entry


class BatchState:
    """The state that the next write of a batch lands on.  Used by the writer's thread only."""

    def __init__(self, base: StoreSnapshot, reader: ObjectReader) -> None:
        self.root = base.head.root
        self.revision = base.head.revision
        self.objects: Objects = {}
        self._base = base
        self._reader = reader
        self._entries: dict[str, Entry] = {}
        self._found: dict[str, Entry | None] = {}

    def load(self, identity: bytes) -> bytes:
        """Return an object's content by its 20-byte id, the batch's own included."""
        found = self.objects.get(identity)
        return self._reader.read(identity) if found is None else found[1]

    def find(self, service: str) -> Entry | None:
        known = self._entries.get(service)
        if known is not None:
            return known
        if service not in self._found:
            self._found[service] = self._base.find(service)
        return self._found[service]

    def read(self, path: str) -> bytes | None:
        entry = self.tree_entry(path)
        if entry is None or entry.mode not in REGULAR:
            return None
        found = self.objects.get(entry.id)
        return self._reader.blob(entry.id) if found is None else found[1]

    def names(self, folder: str) -> frozenset[str]:
        tree = self.tree_folder(folder)
        return frozenset() if tree is None else decoded_names(tree)

    def identity(self, path: str) -> str | None:
        return _identity(self.tree_entry(path))

    def services(self, prefix: str = "", after: str = "") -> Iterator[str]:
        # A batch makes few versions, so what it made is laid over what was there.
        made = {name for name in self._entries if name.startswith(prefix) and name > after}
        alive = {name for name in made if not self._entries[name].deleted}
        before = (name for name in self._base.services(prefix, after) if name not in made)
        return merge(before, sorted(alive))

    def tree_entry(self, path: str) -> TreeEntry | None:
        return find_entry(self.root, encode_path(path), self.load)

    def tree_folder(self, folder: str) -> Tree | None:
        return find_folder(self.root, encode_path(folder), self.load)

    def advance(self, root: Tree, objects: Objects, changes: Sequence[PathChange]) -> list[Entry]:
        """Move to the state after one commit; return the versions it made.

        Args:
            root: Root tree of the commit.
            objects: What the commit adds.
            changes: What it does to paths.
        """
        self.objects.update(objects)
        self.root = root
        self.revision += 1
        json_blobs: dict[str, bytes | None] = {}
        for path, mode, blob_id in changes:
            document = find_document(path)
            if document is not None:
                is_json = document.format is Format.JSON and mode in REGULAR
                json_blobs[document.service] = blob_id if is_json else json_blobs.get(document.service)
        made = []
        for service in sorted(json_blobs):
            entry = self._next_entry(service, json_blobs[service])
            if entry is not None:
                self._entries[service] = entry
                made.append(entry)
        return made

    def _next_entry(self, service: str, json_blob: bytes | None) -> Entry | None:
        """Return the version that a change makes of `service`, if any.

        Args:
            json_blob: Its JSON file when that was put; None to look what files it has.
        """
        before = self.find(service)
        was = None if before is None or before.format is None else (before.format, before.blob_id)
        if json_blob is not None:
            now = effective(json_blob, None)
        else:
            now = effective(self._document(service, Format.JSON), self._document(service, Format.YAML))
        if was == (None if now is None else (now[0], now[1].hex())):
            return None
        version = 0 if before is None else before.version + 1
        return Entry(
            service=service,
            version=version,
            revision=self.revision,
            format=None if now is None else now[0],
            blob_id=None if now is None else now[1].hex(),
            born=before.born if before is not None and not before.deleted else version,
            ordinal=before.ordinal if before is not None else 0,
        )

    def _document(self, service: str, format_: Format) -> bytes | None:
        entry = self.tree_entry(document_path(service, format_))
        return entry.id if entry is not None and entry.mode in REGULAR else None


class NotedView:
    """A view that notes what a plan asked, so that the answer can be checked again later."""

    def __init__(self, state: StoreSnapshot | BatchState) -> None:
        self._state = state
        self._versions: dict[str, int | None] = {}
        self._files: dict[str, TreeEntry | None] = {}
        self._folders: dict[str, bytes | None] = {}
        self._revision: int | None = None

    @property
    def revision(self) -> int:
        self._revision = self._state.revision
        return self._revision

    def find(self, service: str) -> Entry | None:
        entry = self._state.find(service)
        self._versions[service] = None if entry is None else entry.version
        return entry

    def read(self, path: str) -> bytes | None:
        self._files[path] = self._state.tree_entry(path)
        return self._state.read(path)

    def names(self, folder: str) -> frozenset[str]:
        tree = self._state.tree_folder(folder)
        self._folders[folder] = None if tree is None else tree.id
        return frozenset() if tree is None else decoded_names(tree)

    def identity(self, path: str) -> str | None:
        entry = self._files[path] = self._state.tree_entry(path)
        return _identity(entry)

    def services(self, prefix: str = "", after: str = "") -> Iterator[str]:
        tree = self._state.tree_folder(prefix.rpartition("/")[0])
        self._folders[prefix.rpartition("/")[0]] = None if tree is None else tree.id
        return self._state.services(prefix, after)

    def still_holds(self, state: BatchState) -> bool:
        """Return whether `state` would give every answer that was given."""
        if self._revision not in (None, state.revision):
            return False
        for service, version in self._versions.items():
            entry = state.find(service)
            if (None if entry is None else entry.version) != version:
                return False
        for folder, identity in self._folders.items():
            tree = state.tree_folder(folder)
            if (None if tree is None else tree.id) != identity:
                return False
        return all(state.tree_entry(path) == entry for path, entry in self._files.items())


def _identity(entry: TreeEntry | None) -> str | None:
    return None if entry is None else entry.id.hex()


def encode_path(path: str) -> bytes:
    """Return a path as git's bytes."""
    return path.encode("utf-8", "surrogateescape")


def decoded_names(tree: Tree) -> frozenset[str]:
    """Return a folder's names as text."""
    return frozenset(name.decode("utf-8", "surrogateescape") for name in tree.names())
