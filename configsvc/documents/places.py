"""Where the values of a document stand in its text: from JSON pointer to line and column.

For JSON and YAML alike, in one pass over the tokens or events, without
recursion.  What an alias or `<<` brings stands where the alias stands: the reader is
to look at the line that brought it, not at the one it was brought from.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from configsvc.core.names import Format
from configsvc.documents.nodes import Kind, Node, read_nodes
from configsvc.documents.pointer import parse_pointer
from configsvc.documents.tokens import walk


class Place(NamedTuple):
    """Line and column of a character, both from 1; columns are characters."""

    line: int
    column: int


class Found(NamedTuple):
    """Where a value stands, and its key.

    Args:
        key: None for the items of a list, and for the whole document.
    """

    value: Place
    key: Place | None


class Places:
    """The places of the values of one text.

    Looking one up takes as many steps as its pointer has.
    """

    def __init__(self, text: str, root: Node, line_end: re.Pattern[str]) -> None:
        self._root = root
        self._line_starts = [0, *(match.end() for match in line_end.finditer(text))]
        self._members: dict[int, dict[str, tuple[Node, Node]]] = {}

    def find(self, pointer: str) -> Found:
        """Return the place of what is at a JSON pointer, else of the nearest thing above that exists.

        Raises:
            DocumentInvalid: Not a pointer.
        """
        return self.at(parse_pointer(pointer))

    def at(self, path: Iterable[str | int]) -> Found:
        """Return the place of what keys and indexes lead to, else of the nearest thing above that exists."""
        key, node = None, self._root
        for step in path:
            found = self._step(node, str(step))
            if found is None:
                break
            key, node = found
        return Found(self._place(node), None if key is None else self._place(key))

    def _step(self, node: Node, step: str) -> tuple[Node | None, Node] | None:
        if node.kind is Kind.LIST:
            index = int(step) if step.isascii() and step.isdigit() and len(step) < 10 else len(node.items)
            return (None, node.items[index]) if index < len(node.items) else None
        if node.kind is Kind.MAPPING:
            return self._index(node).get(step)
        return None

    def _index(self, node: Node) -> dict[str, tuple[Node, Node]]:
        """Return the members of a mapping by key, with those that `<<` brings."""
        known = self._members.get(id(node))
        if known is not None:
            return known
        index = {str(key.value): (key, member) for key, member in node.members if not key.is_merge}
        self._members[id(node)] = index
        for merge, member in node.members:
            if merge.is_merge:
                for source in member.items if member.kind is Kind.LIST else [member]:
                    for key, found in self._brought(merge, source).items():
                        index.setdefault(key, found)
        return index

    def _brought(self, merge: Node, source: Node) -> dict[str, tuple[Node, Node]]:
        """Return the members that one source of a `<<` brings."""
        if source.kind is Kind.MAPPING:
            return self._index(source)
        return dict.fromkeys(source.value if isinstance(source.value, dict) else (), (merge, source))

    def _place(self, node: Node) -> Place:
        line = bisect_right(self._line_starts, node.start)
        return Place(line, node.start - self._line_starts[line - 1] + 1)


def find_places(data: bytes, format_: Format) -> Places:
    """Return the places of the values of a document.

    Args:
        data: A text that `parse_document` accepted.
    """
    text = data.decode()
    if format_ is Format.JSON:
        return Places(text, _read_json(text), re.compile("\n"))
    return Places(text, read_nodes(text), re.compile("\r\n?|\n"))


def _read_json(text: str) -> Node:
    above: list[Node] = []
    keys: dict[int, Node] = {}  # by depth: the newest key that was read there
    root = Node(Kind.SCALAR, 0, 0, 0)
    for place in walk(text):
        depth, end = len(place.path), place.offset + len(place.token)
        if place.is_key:
            keys[depth] = Node(Kind.SCALAR, place.offset, place.offset, end, place.path[-1])
            continue
        node = Node(_KINDS.get(place.token, Kind.SCALAR), place.offset, place.offset, end)
        del above[depth:]
        if not above:
            root = node
        elif above[-1].kind is Kind.LIST:
            above[-1].items.append(node)
        else:
            above[-1].members.append((keys[depth], node))
        if node.kind is not Kind.SCALAR:
            above.append(node)
    return root


_KINDS = {"{": Kind.MAPPING, "[": Kind.LIST}
