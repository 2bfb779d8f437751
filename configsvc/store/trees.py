"""Directory trees in memory: change one path, share the rest.

A `Tree` is one folder as git's raw tree bytes plus the place of each entry, so
that an update is a 20-byte patch.  Trees never change: `edited` returns a new
root that shares every folder it did not touch, so a reader's snapshot is just
a root, and a batch that fails is dropped by forgetting its root.  Folders are
loaded when they are first entered.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from configsvc.core.errors import PathConflict
from configsvc.core.trees import EXECUTABLE, FILE, FOLDER
from configsvc.store.objects import Objects, add_object, object_id

Load = Callable[[bytes], bytes]
"""Returns the content of a tree object by its 20-byte id."""

_ID_BYTES = 20
_FILE_MODE = b"%o " % FILE
_FOLDER_MODE = b"%o " % FOLDER
_FOLDER_MARK = 0x34  # "4": git writes a folder's mode with five digits, a file's with six
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
        # Filled as folders are entered, by any thread: nobody may iterate over it.  Two may load
        # one folder twice, which does no harm.
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

    def with_changes(self, changes: Mapping[bytes, TreeEntry | None], children: Mapping[bytes, Tree]) -> Tree:
        """Return this folder, not yet sealed, with names set to files or folders, or removed.

        Args:
            changes: Name to what it becomes; None removes it, which must be there.
            children: The folders among them, sealed.
        """
        folders = self._folders.copy()  # in one step: readers may be entering folders meanwhile
        for name in changes:
            folders.pop(name, None)
        folders.update(children)
        if len(changes) > 1:
            return Tree(self._rebuilt(changes), _UNSEALED, folders=folders)
        ((name, entry),) = changes.items()
        before = self.find(name)
        if entry is None:
            return Tree(self._without(name), _UNSEALED, folders=folders)
        if before is None:
            return Tree(self._with(name, entry), _UNSEALED, folders=folders)
        if before.mode == entry.mode:
            return Tree(self._patched(name, entry.id), _UNSEALED, starts=self._starts, folders=folders)
        return Tree(self._rebuilt(changes), _UNSEALED, folders=folders)

    def with_file(self, parts: list[bytes], blob_id: bytes, load: Load, objects: Objects) -> Tree | None:
        """Return this folder with the file at `parts` set to `blob_id`, None unless it is there already.

        What `edited` comes to for most writes, without its book-keeping: a tenth of a commit's time.

        Args:
            objects: Receives every tree object that is new, unless None is returned.
        """
        name, *below = parts
        if not below:
            return self._with_id(_FILE_MODE, name, blob_id, self._folders, objects)
        child = self.folder(name, load)
        after = None if child is None else child.with_file(below, blob_id, load, objects)
        if after is None:
            return None
        if after is child:
            return self
        folders = self._folders.copy()  # in one step: readers may be entering folders meanwhile
        folders[name] = after
        return self._with_id(_FOLDER_MODE, name, after.id, folders, objects)

    def _with_id(
        self, mode: bytes, name: bytes, id_: bytes, folders: dict[bytes, Tree], objects: Objects
    ) -> Tree | None:
        start = self._starts.get(name)
        if start is None or not self.raw.startswith(mode, start):
            return None
        raw = self._patched(name, id_)
        if raw == self.raw:
            return self
        return Tree(raw, add_object(objects, "tree", raw), starts=self._starts, folders=folders)

    def _patched(self, name: bytes, id_: bytes) -> bytes:
        start = self._starts[name]
        place = start + _mode_chars(self.raw, start) + len(name) + 2
        return b"%b%b%b" % (self.raw[:place], id_, self.raw[place + _ID_BYTES :])

    def _without(self, name: bytes) -> bytes:
        start = self._starts[name]
        return self.raw[:start] + self.raw[self._end(name, start) :]

    def _end(self, name: bytes, start: int) -> int:
        return start + _mode_chars(self.raw, start) + len(name) + 2 + _ID_BYTES

    def _with(self, name: bytes, entry: TreeEntry) -> bytes:
        names, starts, raw = list(self._starts), self._starts, self.raw
        before = bisect(
            names,
            _order(name, is_folder=entry.mode == FOLDER),
            key=lambda other: _order(other, is_folder=raw[starts[other]] == _FOLDER_MARK),
        )
        place = starts[names[before]] if before < len(names) else len(raw)
        return raw[:place] + _encoded(name, entry) + raw[place:]

    def _rebuilt(self, changes: Mapping[bytes, TreeEntry | None]) -> bytes:
        """Return the raw folder after many changes: written once, not once for each of them."""
        found = {
            name: self.raw[start : self._end(name, start)]
            for name, start in self._starts.items()
            if name not in changes
        }
        found.update((name, _encoded(name, entry)) for name, entry in changes.items() if entry is not None)
        ordered = sorted(
            found.items(), key=lambda item: _order(item[0], is_folder=item[1][0] == _FOLDER_MARK)
        )
        return b"".join(raw for _, raw in ordered)

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
    if len(edits) == 1 and not executable:
        ((path, blob_id),) = edits.items()
        after = None if blob_id is None else root.with_file(path.split(b"/"), blob_id, load, objects)
        if after is not None:
            return after
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
    changes = _Changes(folder)
    # In this order a file can make room for a folder of its name, and the other way round.
    for edit in removed:
        changes.remove_file(edit.parts)
    for deeper in below.values():
        changes.edit_folder(deeper, depth, load, objects)
    for edit in put:
        changes.put_file(edit)
    changed = changes.made()
    return changed.sealed(objects) if len(changed) else None


class _Changes:
    """What is to become of names in one folder, gathered so that it is written once."""

    def __init__(self, folder: Tree) -> None:
        self._folder = folder
        self._changes: dict[bytes, TreeEntry | None] = {}
        self._children: dict[bytes, Tree] = {}
        self._new: list[list[bytes]] = []

    def remove_file(self, parts: list[bytes]) -> None:
        """Let a file go, which need not be there."""
        entry = self._folder.find(parts[-1])
        if entry is None:
            return
        if entry.mode == FOLDER:
            raise _conflict(parts, "is a folder (expected: a file)")
        self._changes[parts[-1]] = None

    def edit_folder(self, edits: list[Edit], depth: int, load: Load, objects: Objects) -> None:
        """Make the edits that lead into a folder."""
        parts = edits[0].parts[: depth + 1]
        name = parts[-1]
        before = self._find(name)
        child = self._folder.folder(name, load) if before is not None else None
        if child is None:
            edits = [edit for edit in edits if edit.blob_id is not None]
            if not edits:
                return
            if before is not None:
                raise _conflict(parts, "is a file (expected: a folder)")
            self._new.append(parts)
        after = _edit(child or EMPTY_TREE, edits, depth + 1, load, objects)
        if after is None:
            self._changes[name] = None
        elif after is not child:
            self._changes[name] = TreeEntry(FOLDER, after.id)
            self._children[name] = after

    def put_file(self, edit: Edit) -> None:
        """Set a file."""
        name = edit.parts[-1]
        entry = self._find(name)
        if entry is None:
            self._new.append(edit.parts)
        elif entry.mode == FOLDER:
            raise _conflict(edit.parts, "is a folder (expected: a file)")
        if edit.blob_id is not None and entry != (edit.mode, edit.blob_id):
            self._changes[name] = TreeEntry(edit.mode, edit.blob_id)

    def made(self) -> Tree:
        """Return the folder with all of it."""
        self._refuse_case_collisions()
        return self._folder.with_changes(self._changes, self._children) if self._changes else self._folder

    def _find(self, name: bytes) -> TreeEntry | None:
        return self._changes[name] if name in self._changes else self._folder.find(name)

    def _refuse_case_collisions(self) -> None:
        if not self._new or (
            len(self._new) == 1 and self._new[0][-1].lower() not in self._folder.raw.lower()
        ):
            return
        names = dict.fromkeys([*self._folder.names(), *self._changes])
        lowered: dict[bytes, list[bytes]] = {}
        for name in names:
            if self._find(name) is not None:
                lowered.setdefault(name.lower(), []).append(name)
        for parts in self._new:
            for other in lowered[parts[-1].lower()]:
                if other != parts[-1]:
                    found = other.decode("utf-8", "replace")
                    raise _conflict(parts, f"is not to stand beside {found!r}: they differ only by case")


def _conflict(parts: list[bytes], problem: str) -> PathConflict:
    path = b"/".join(parts).decode("utf-8", "replace")
    return PathConflict(f"path: {path!r} {problem}", [{"path": path}])


def _mode_chars(raw: bytes, start: int) -> int:
    return 5 if raw[start] == _FOLDER_MARK else 6


def _scan(raw: bytes) -> dict[bytes, int]:
    starts: dict[bytes, int] = {}
    position, end = 0, len(raw)
    while position < end:
        name_start = raw.index(b" ", position) + 1
        name_end = raw.index(b"\0", name_start)
        starts[raw[name_start:name_end]] = position
        position = name_end + 1 + _ID_BYTES
    return starts


def _encoded(name: bytes, entry: TreeEntry) -> bytes:
    return b"%o %s\0%s" % (entry.mode, name, entry.id)


def _order(name: bytes, *, is_folder: bool) -> bytes:
    """Return what an entry is sorted by: git sorts a folder as if its name ended in a slash."""
    return name + b"/" if is_folder else name


EMPTY_TREE = Tree(b"", object_id("tree", b""))
