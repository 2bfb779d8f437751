"""The tree that one commit leads to, as the gate reads it."""

from __future__ import annotations

from collections.abc import Collection

from configsvc.store.reader import ObjectReader
from configsvc.store.state import StoreSnapshot, decoded_names, encode_path
from configsvc.store.trees import Tree, find_entry, find_folder


class StepTree:
    """Names, modes and contents below one root tree; see `validation.gate.TreeReader`."""

    def __init__(self, root: Tree, reader: ObjectReader) -> None:
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

    def _identity(self, path: str) -> bytes:
        entry = find_entry(self._root, encode_path(path), self._reader.read)
        if entry is None:
            raise KeyError(path)
        return entry.id
