"""What differs between two trees, found by going only where ids differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from configsvc.core.errors import PushRefused
from configsvc.core.trees import FOLDER, PathChange
from configsvc.store.pushbounds import MAX_CHANGES, MAX_DEPTH
from configsvc.store.trees import Load, TreeEntry

_ID_BYTES = 20


def tree_entries(raw: bytes) -> dict[bytes, TreeEntry]:
    """Return the names in a folder from git's raw tree bytes, whatever their modes are.

    Raises:
        ValueError: These are no tree's bytes.
    """
    entries: dict[bytes, TreeEntry] = {}
    position, end = 0, len(raw)
    while position < end:
        mode_end = raw.index(b" ", position)
        name_end = raw.index(b"\0", mode_end)
        identity = raw[name_end + 1 : name_end + 1 + _ID_BYTES]
        entries[raw[mode_end + 1 : name_end]] = TreeEntry(int(raw[position:mode_end], 8), identity)
        position = name_end + 1 + _ID_BYTES
    return entries


def changed_paths(
    before: bytes | None,
    after: bytes | None,
    load: Load,
    *,
    spend: Callable[[int], None] = lambda entries: None,
    max_changes: int = MAX_CHANGES,
) -> list[PathChange]:
    """Return what every path that differs is in the tree `after`.

    Args:
        before: 20-byte id of a tree; None for an empty one, as is `after`.
        spend: Told how many names were looked at.

    Raises:
        PushRefused: More than `max_changes` paths differ, or folders are nested too deep.
    """
    changes: list[PathChange] = []
    for change in _compare(before, after, load, spend, b"", 0):
        changes.append(change)
        if len(changes) > max_changes:
            raise PushRefused(f"push: a commit changes more than {max_changes} files (expected: fewer)")
    return changes


def differing_paths(before: bytes | None, after: bytes | None, load: Load) -> Iterator[str]:
    """Yield every path that differs, as it is found; see `changed_paths`.

    Raises:
        PushRefused: Folders are nested too deep.
    """
    return (change.path for change in _compare(before, after, load, lambda entries: None, b"", 0))


def _compare(
    before: bytes | None,
    after: bytes | None,
    load: Load,
    spend: Callable[[int], None],
    prefix: bytes,
    depth: int,
) -> Iterator[PathChange]:
    if before == after:
        return
    if depth > MAX_DEPTH:
        raise PushRefused(f"push: folders nested deeper than {MAX_DEPTH} (expected: <= {MAX_DEPTH})")
    old = {} if before is None else tree_entries(load(before))
    new = {} if after is None else tree_entries(load(after))
    spend(len(old) + len(new))
    for name in sorted(old.keys() | new.keys()):
        was, is_ = old.get(name), new.get(name)
        if was == is_:
            continue
        yield from _compare(_folder(was), _folder(is_), load, spend, prefix + name + b"/", depth + 1)
        if is_ is not None and is_.mode != FOLDER:
            yield PathChange(_text(prefix + name), is_.mode, is_.id)
        elif was is not None and was.mode != FOLDER:
            yield PathChange(_text(prefix + name), None, None)


def _folder(entry: TreeEntry | None) -> bytes | None:
    return entry.id if entry is not None and entry.mode == FOLDER else None


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
