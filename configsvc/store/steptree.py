"""The tree that one commit leads to, as the gate reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from configsvc.core.names import Format, document_path, find_document
from configsvc.core.reports import Violation
from configsvc.core.trees import FOLDER, REGULAR, PathChange
from configsvc.store.state import StoreSnapshot, decoded_names, encode_path
from configsvc.store.trees import Tree, find_entry, find_folder


class ObjectSource(Protocol):
    """Objects by their 20-byte ids."""

    def read(self, identity: bytes) -> bytes:
        """Return the content of an object."""

    def size(self, identity: bytes) -> int:
        """Return the size of an object in bytes."""


class StepTree:
    """Names, modes and contents below one root tree; see `validation.gate.TreeReader`."""

    def __init__(self, root: Tree, reader: ObjectSource) -> None:
        self._root = root
        self._reader = reader

    @classmethod
    def at(cls, snapshot: StoreSnapshot) -> StepTree:
        """Return the tree of a published revision."""
        return cls(snapshot.head.root, snapshot.reader)

    def mode(self, path: str) -> int | None:
        """Return git's mode of what stands at `path`, None when nothing does."""
        entry = find_entry(self._root, encode_path(path), self._reader.read)
        return None if entry is None else entry.mode

    def names(self, folder: str) -> Collection[str]:
        """Return the names in a folder; "" is the root; empty when there is none."""
        tree = find_folder(self._root, encode_path(folder), self._reader.read)
        return frozenset() if tree is None else decoded_names(tree)

    def size(self, path: str) -> int:
        """Return the size in bytes of the file at `path`."""
        return self._reader.size(self._identity(path))

    def read(self, path: str) -> bytes:
        """Return the bytes of the file at `path`."""
        return self._reader.read(self._identity(path))

    def documents(self) -> StepDocuments:
        """Return this tree as schemas are looked up in it; see `validation.conformance.DocumentTree`."""
        return StepDocuments(self)

    def identity(self, path: str) -> str | None:
        """Return the object id of what stands at `path`, None when nothing does."""
        entry = find_entry(self._root, encode_path(path), self._reader.read)
        return None if entry is None else entry.id.hex()

    def _identity(self, path: str) -> bytes:
        entry = find_entry(self._root, encode_path(path), self._reader.read)
        if entry is None:
            raise KeyError(path)
        return entry.id


class StepDocuments:
    """The documents of a tree; see `validation.conformance.DocumentTree`."""

    def __init__(self, tree: StepTree) -> None:
        self._tree = tree

    def identity(self, path: str) -> str | None:
        """Return the object id of what stands at `path`, None when nothing does."""
        return self._tree.identity(path)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none."""
        return self._tree.read(path) if self._tree.mode(path) in REGULAR else None

    def names(self, folder: str) -> Collection[str]:
        """Return the names in a folder; empty when there is none."""
        return self._tree.names(folder)

    def services(self, prefix: str = "") -> Iterator[str]:
        """Yield the services below a folder, sorted.

        Args:
            prefix: Empty, or a folder with its slash.
        """
        yield from sorted(set(self._below(prefix)))

    def document(self, service: str) -> tuple[Format, str] | None:
        """Return format and blob id of a service's document, None when it has none."""
        for format_ in Format:
            path = document_path(service, format_)
            if self._tree.mode(path) in REGULAR:
                return format_, self._tree.identity(path) or ""
        return None

    def _below(self, prefix: str) -> Iterator[str]:
        for name in self._tree.names(prefix.rstrip("/")):
            path = prefix + name
            found = find_document(path)
            if found is not None:
                yield found.service
            elif not name.startswith(".") and self._tree.mode(path) == FOLDER:
                yield from self._below(f"{path}/")


Gate = Callable[[Sequence[PathChange], StepTree], Sequence[Violation]]
"""Judges what one commit changed, on the tree it leads to."""
