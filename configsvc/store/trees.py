"""Directory trees in memory: change one path, share the rest.

A `Tree` is one folder as git's raw tree bytes plus the place of each entry, so
that an update is a 20-byte patch.  Trees never change: `edited` returns a new
root that shares every folder it did not touch, so a reader's snapshot is just
a root, and a batch that fails is dropped by forgetting its root.  Folders are
loaded when they are first entered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from configsvc.core.errors import PathConflict
from configsvc.core.trees import EXECUTABLE, FILE, FOLDER
from configsvc.store.objects import Objects, add_object, object_id

Load = Callable[[bytes], bytes]
"""Returns the content of a tree object by its 20-byte id."""

_ID_BYTES = 20
_FOLDER_MODE = b"40000"
_UNSEALED = b""


class TreeEntry(NamedTuple):
    """One name in a folder."""

    mode: int
    id: bytes


class Edit(NamedTuple):
    """A file to put, or to remove when it has no blob."""

    parts: list[bytes]
    blob_id: bytes | None
    mode: int = FILE


class Tree:
    """One folder at one moment.  Immutable; safe to share between threads."""

    __slots__ = ("_folders", "_starts", "id", "raw")

    def __init__(
        self,
        raw: bytes,
        id_: bytes,
        *,
        starts: dict[bytes, int] | None = None,
        folders: dict[bytes, Tree] | None = None,
    ) -> None:
        self.raw = raw
        self.id = id_
        self._starts = _scan(raw) if starts is None else starts
        # Filled as folders are entered: two threads may load one twice, which does no harm.
        self._folders: dict[bytes, Tree] = {} if folders is None else folders

    def __len__(self) -> int:
        return len(self._starts)

    def names(self) -> list[bytes]:
        """Return the names in this folder, in git's order."""
        return list(self._starts)

    def find(self, name: bytes) -> TreeEntry | None:
        """Return the entry called `name`, None when there is none."""
        start = self._starts.get(name)
        if start is None:
            return None
        mode_end = start + _mode_chars(self.raw, start)
        place = mode_end + len(name) + 2
        return TreeEntry(int(self.raw[start:mode_end], 8), self.raw[place : place + _ID_BYTES])

    def folder(self, name: bytes, load: Load) -> Tree | None:
        """Return the folder called `name`, None when there is none or it is a file."""
        known = self._folders.get(name)
        if known is not None:
            return known
        entry = self.find(name)
        if entry is None or entry.mode != FOLDER:
            return None
        tree = Tree(load(entry.id), entry.id)
        self._folders[name] = tree
        return tree

    def with_entry(
        self, name: bytes, identity: bytes, child: Tree | None = None, file_mode: int = FILE
    ) -> Tree:
        """Return this folder, not yet sealed, with `name` set to a file or to the folder `child`."""
        raw, starts = self.raw, self._starts
        start = starts.get(name)
        mode = b"%o" % file_mode if child is None else _FOLDER_MODE
        if start is not None and raw.startswith(mode + b" ", start):
            place = start + len(mode) + len(name) + 2
            raw = raw[:place] + identity + raw[place + _ID_BYTES :]
            kept: dict[bytes, int] | None = starts
        else:
            if start is not None:
                raw = _without(raw, start, name)
            place = _place(raw, name, is_folder=child is not None)
            raw = raw[:place] + mode + b" " + name + b"\0" + identity + raw[place:]
            kept = None
        folders = dict(self._folders)
        folders.pop(name, None)
        if child is not None:
            folders[name] = child
        return Tree(raw, _UNSEALED, starts=kept, folders=folders)

    def without(self, name: bytes) -> Tree:
        """Return this folder, not yet sealed, without the entry called `name`, which must be there."""
        raw = _without(self.raw, self._starts[name], name)
        folders = dict(self._folders)
        folders.pop(name, None)
        return Tree(raw, _UNSEALED, folders=folders)

    def sealed(self, objects: Objects) -> Tree:
        """Return this folder with its id, its object added to `objects` when it is new."""
        if self.id is not _UNSEALED:
            return self
        return Tree(
            self.raw, add_object(objects, "tree", self.raw), starts=self._starts, folders=self._folders
        )


def find_entry(root: Tree, path: bytes, load: Load) -> TreeEntry | None:
    """Return the entry at `path` below `root`, None when there is none."""
    folder = root
    *above, name = path.split(b"/")
    for part in above:
        below = folder.folder(part, load)
        if below is None:
            return None
        folder = below
    return folder.find(name)


def find_folder(root: Tree, path: bytes, load: Load) -> Tree | None:
    """Return the folder at `path` ("" is `root` itself), None when there is none."""
    folder: Tree | None = root
    for part in path.split(b"/") if path else ():
        folder = None if folder is None else folder.folder(part, load)
    return folder


def edited(
    root: Tree,
    edits: Mapping[bytes, bytes | None],
    load: Load,
    objects: Objects,
    *,
    executable: Collection[bytes] = (),
) -> Tree:
    """Return `root` with files set to blobs, or removed.

    Folders come into being with their first file and go with their last.

    Args:
        edits: Path to 20-byte blob id; None removes the file, which need not exist.
        objects: Receives every tree object of the result that is new.
        executable: Paths among the edits whose files are programs.

    Raises:
        PathConflict: A file stands where a folder is needed or the other way
            round, or a name differs from an existing one only by case.
    """
    parted = [
        Edit(path.split(b"/"), blob_id, EXECUTABLE if path in executable else FILE)
        for path, blob_id in edits.items()
    ]
    return _edit(root, parted, 0, load, objects) or EMPTY_TREE


def walk(root: Tree, load: Load, prefix: bytes = b"") -> Iterator[tuple[bytes, TreeEntry]]:
    """Yield path and entry of everything below `root` that is not a folder, in git's order."""
    for name in root.names():
        entry = root.find(name)
        if entry is None:
            continue
        if entry.mode == FOLDER:
            below = root.folder(name, load)
            if below is not None:
                yield from walk(below, load, prefix + name + b"/")
        else:
            yield prefix + name, entry


def _edit(folder: Tree, edits: list[Edit], depth: int, load: Load, objects: Objects) -> Tree | None:
    """Return `folder` after the edits whose paths lead into it; None when nothing is left in it."""
    removed: list[Edit] = []
    put: list[Edit] = []
    below: dict[bytes, list[Edit]] = {}
    for edit in edits:
        if depth < len(edit.parts) - 1:
            below.setdefault(edit.parts[depth], []).append(edit)
        else:
            (removed if edit.blob_id is None else put).append(edit)
    # In this order a file can make room for a folder of its name, and the other way round.
    for edit in removed:
        folder = _with_file_removed(folder, edit.parts)
    for deeper in below.values():
        folder = _with_folder(folder, deeper, depth, load, objects)
    for edit in put:
        folder = _with_file(folder, edit)
    return folder.sealed(objects) if len(folder) else None


def _with_file(folder: Tree, edit: Edit) -> Tree:
    name = edit.parts[-1]
    entry = folder.find(name)
    if entry is None:
        _refuse_case_collision(folder, edit.parts)
    elif entry.mode == FOLDER:
        raise _conflict(edit.parts, "is a folder (expected: a file)")
    if edit.blob_id is None or entry == (edit.mode, edit.blob_id):
        return folder
    return folder.with_entry(name, edit.blob_id, file_mode=edit.mode)


def _with_file_removed(folder: Tree, parts: list[bytes]) -> Tree:
    entry = folder.find(parts[-1])
    if entry is None:
        return folder
    if entry.mode == FOLDER:
        raise _conflict(parts, "is a folder (expected: a file)")
    return folder.without(parts[-1])


def _with_folder(folder: Tree, edits: list[Edit], depth: int, load: Load, objects: Objects) -> Tree:
    parts = edits[0].parts[: depth + 1]
    name = parts[-1]
    child = folder.folder(name, load)
    before = folder.find(name)
    if child is None:
        edits = [edit for edit in edits if edit.blob_id is not None]
        if not edits:
            return folder
        if before is not None:
            raise _conflict(parts, "is a file (expected: a folder)")
        _refuse_case_collision(folder, parts)
    after = _edit(child or EMPTY_TREE, edits, depth + 1, load, objects)
    if after is child:
        return folder
    if after is None:
        return folder if before is None else folder.without(name)
    return folder.with_entry(name, after.id, after)


def _refuse_case_collision(folder: Tree, parts: list[bytes]) -> None:
    wanted = parts[-1].lower()
    if wanted not in folder.raw.lower():
        return
    for name in folder.names():
        if name.lower() == wanted and name != parts[-1]:
            found = name.decode("utf-8", "replace")
            raise _conflict(parts, f"is not to stand beside {found!r}: they differ only by case")


def _conflict(parts: list[bytes], problem: str) -> PathConflict:
    path = b"/".join(parts).decode("utf-8", "replace")
    return PathConflict(f"path: {path!r} {problem}", [{"path": path}])


def _mode_chars(raw: bytes, start: int) -> int:
    return 5 if raw[start] == 0x34 else 6  # "4": git writes a folder's mode with five digits


def _scan(raw: bytes) -> dict[bytes, int]:
    starts: dict[bytes, int] = {}
    position, end = 0, len(raw)
    while position < end:
        name_start = raw.index(b" ", position) + 1
        name_end = raw.index(b"\0", name_start)
        starts[raw[name_start:name_end]] = position
        position = name_end + 1 + _ID_BYTES
    return starts


def _without(raw: bytes, start: int, name: bytes) -> bytes:
    return raw[:start] + raw[start + _mode_chars(raw, start) + len(name) + 2 + _ID_BYTES :]


def _place(raw: bytes, name: bytes, *, is_folder: bool) -> int:
    """Return where an entry belongs: git sorts a folder as if its name ended in a slash."""
    key = name + b"/" if is_folder else name
    position, end = 0, len(raw)
    while position < end:
        mode_end = raw.index(b" ", position)
        name_end = raw.index(b"\0", mode_end)
        other = raw[mode_end + 1 : name_end] + (b"/" if raw[position] == 0x34 else b"")
        if other > key:
            return position
        position = name_end + 1 + _ID_BYTES
    return end


EMPTY_TREE = Tree(b"", object_id("tree", b""))
