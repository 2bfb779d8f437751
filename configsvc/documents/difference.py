"""The JSON Patch (RFC 6902) that leads from one value to another.

What it costs is bounded for any two values: lists whose items would take too long to
match are paired by position, and a patch that grows beyond what `apply_patch`
takes becomes one that replaces the whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import SequenceMatcher

from configsvc.documents.alignment import same
from configsvc.documents.patch import MAX_OPERATIONS

_MAX_MATCHING = 2_000_000
"""Comparisons for all lists of two values; matching is cubic at its worst."""
_MAX_LISTS = 8
"""Lists in lists deeper than that are compared as a whole: each level reads all below it again."""
_MAX_PATH_CHARS = 1 << 20
"""Text of all pointers: keys may be as long as a document."""

Operation = dict[str, object]


class _TooLong(Exception):
    """The patch would be longer than it may."""


def difference(old: object, new: object) -> list[Operation]:
    """Return the operations that make `old` into `new`; none for equal values.

    `1`, `1.0` and `true` are three values; the order of keys does not count.
    """
    differ = _Differ()
    try:
        differ.compare("", old, new, lists=0)
    except _TooLong:
        return [{"op": "replace", "path": "", "value": new}]
    return differ.operations


class _Differ:
    """Collects operations; knows how much it has spent."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._matching = 0
        self._path_chars = 0

    def compare(self, path: str, old: object, new: object, *, lists: int) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            self._mappings(path, old, new, lists)
        elif isinstance(old, list) and isinstance(new, list) and lists < _MAX_LISTS:
            self._lists(path, old, new, lists + 1)
        elif not same(old, new):
            self._add("replace", path, new)

    def _mappings(self, path: str, old: dict[str, object], new: dict[str, object], lists: int) -> None:
        for key in old:
            if key not in new:
                self._add("remove", _below(path, key))
        for key, member in new.items():
            if key in old:
                self.compare(_below(path, key), old[key], member, lists=lists)
            else:
                self._add("add", _below(path, key), member)

    def _lists(self, path: str, old: list[object], new: list[object], lists: int) -> None:
        before, after = _spelled(old), _spelled(new)
        pairs = self._pairs(before, after)
        for index in range(len(old) - 1, -1, -1):
            if index not in pairs:
                self._add("remove", f"{path}/{index}")
        came_from = {new_index: old_index for old_index, new_index in pairs.items()}
        for index, item in enumerate(new):
            if index not in came_from:
                self._add("add", f"{path}/{index}", item)
        for index, old_index in came_from.items():
            if before[old_index] != after[index]:
                self.compare(f"{path}/{index}", old[old_index], new[index], lists=lists)

    def _pairs(self, before: list[str], after: list[str]) -> dict[int, int]:
        """Return which old item becomes which new one; both rise."""
        head = _common(before, after)
        tail = _common(before[head:][::-1], after[head:][::-1])
        pairs = {index: index for index in range(head)}
        olds, news = len(before) - tail, len(after) - tail
        pairs.update({olds + index: news + index for index in range(tail)})
        for old_index, new_index in self._matched(before[head:olds], after[head:news]):
            pairs[head + old_index] = head + new_index
        return pairs

    def _matched(self, before: list[str], after: list[str]) -> list[tuple[int, int]]:
        self._matching += len(before) * len(after) * min(len(before), len(after))
        if self._matching > _MAX_MATCHING:
            return [(index, index) for index in range(min(len(before), len(after)))]
        matcher = SequenceMatcher(None, before, after, autojunk=False)
        return [
            pair
            for _, old_low, old_high, new_low, new_high in matcher.get_opcodes()
            for pair in zip(range(old_low, old_high), range(new_low, new_high), strict=False)
        ]

    def _add(self, name: str, path: str, *value: object) -> None:
        self._path_chars += len(path)
        if len(self.operations) == MAX_OPERATIONS or self._path_chars > _MAX_PATH_CHARS:
            raise _TooLong
        self.operations.append({"op": name, "path": path} | ({"value": value[0]} if value else {}))


def _spelled(items: Sequence[object]) -> list[str]:
    return [json.dumps(each, sort_keys=True) for each in items]


def _common(one: list[str], other: list[str]) -> int:
    """Return how many items at the front are equal."""
    pairs = zip(one, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _below(path: str, key: str) -> str:
    return path + "/" + key.replace("~", "~0").replace("/", "~1")
