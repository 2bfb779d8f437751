"""The nodes of a YAML text: which stands where, with which anchor, and what it stands for.

Built from the parser's events without recursion, for texts that `parse_yaml` accepted.
Offsets are in characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

import yaml

from configsvc.documents.composer import merge_mappings
from configsvc.documents.scalars import read_plain
from configsvc.documents.yaml import LOADER

_ANCHOR = re.compile(r"&[^\s,\[\]{}]++")
_SPACE = re.compile(r"(?:\s++|(?<=\s)#[^\n]*+)*+")


class Kind(Enum):
    """What a node is in the text."""

    SCALAR = "scalar"
    ALIAS = "alias"
    MAPPING = "mapping"
    LIST = "list"


@dataclass(slots=True)
class Node:
    """A node and its place.

    Args:
        start: Offset of its first character, which may be that of its anchor.
        body: Offset of its content, past the anchor.
        end: Offset after its last character; comments and blank lines below are outside.
        value: What it stands for, aliases and merges resolved.
        style: Of a scalar: `'`, `"`, `|`, `>`, or empty when plain.
        anchor: Its anchor, or the one that an alias names.
        is_flow: Written in brackets, or between them.
        members: Pairs of a mapping, in the order of the text.
        items: Items of a list.
    """

    kind: Kind
    start: int
    body: int
    end: int
    value: object = None
    style: str = ""
    anchor: str = ""
    is_flow: bool = False
    members: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    is_merge: bool = False

    @property
    def anchor_end(self) -> int | None:
        """Offset after the anchor; None without one."""
        return self.start + 1 + len(self.anchor) if self.anchor and self.kind is not Kind.ALIAS else None


def read_nodes(text: str) -> Node:
    """Return the root of a YAML text that `parse_yaml` accepted; its line ends are newlines."""
    builder = _Builder(text)
    for event in yaml.parse(text, Loader=LOADER):
        builder.feed(event)
    assert builder.root is not None
    return builder.root


class _Builder:
    def __init__(self, text: str) -> None:
        self.root: Node | None = None
        self._text = text
        self._open: list[Node] = []
        self._keys: list[Node | None] = []
        self._anchored: dict[str, Node] = {}

    def feed(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            name, (start, end) = event.anchor or "", _offsets(event)
            self._close(Node(Kind.ALIAS, start, start, end, self._anchored[name].value, anchor=name))
        elif isinstance(event, yaml.ScalarEvent):
            self._close(self._scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            kind = Kind.MAPPING if isinstance(event, yaml.MappingStartEvent) else Kind.LIST
            node = self._node(kind, event)
            node.is_flow = bool(event.flow_style)
            self._open.append(node)
            self._keys.append(None)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end_container(event)

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        node = self._node(Kind.SCALAR, event)
        is_plain = event.implicit[0]
        node.value = read_plain(event.value) if is_plain else event.value
        node.style = (event.style or "") if not is_plain else ""
        node.is_merge = is_plain and event.value == "<<"
        if node.style in ("|", ">"):
            content = self._text[node.body : node.end]
            is_kept = "+" in content.partition("\n")[0].partition("#")[0]
            node.end -= content.endswith("\n") if is_kept else len(content) - len(content.rstrip("\n "))
        return node

    def _node(self, kind: Kind, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> Node:
        start, end = _offsets(event)
        node = Node(kind, start, start, end, anchor=event.anchor or "")
        if event.anchor:
            match = _ANCHOR.match(self._text, start)
            node.body = match.end() if match else start
            skipped = _SPACE.match(self._text, node.body)
            if skipped and (kind is not Kind.SCALAR or skipped.end() < end):
                node.body = skipped.end()
            self._anchored[event.anchor] = node
        return node

    def _end_container(self, event: yaml.CollectionEndEvent) -> None:
        node = self._open.pop()
        self._keys.pop()
        if node.kind is Kind.LIST:
            node.value = [item.value for item in node.items]
            last = node.items[-1].end if node.items else node.end
        else:
            node.value = _mapping_value(node)
            last = node.members[-1][1].end if node.members else node.end
        node.end = _offsets(event)[1] if node.is_flow else last
        self._close(node)

    def _close(self, node: Node) -> None:
        """Hand a complete node to the container it stands in."""
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1], self._keys[-1]
        if parent.kind is Kind.LIST:
            parent.items.append(node)
        elif key is None:
            self._keys[-1] = node
        else:
            parent.members.append((key, node))
            self._keys[-1] = None


def _offsets(event: yaml.Event) -> tuple[int, int]:
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index


def _mapping_value(node: Node) -> dict[str, object]:
    own: dict[str, object] = {}
    merged: list[dict[str, object]] | None = None
    for key, member in node.members:
        if key.is_merge:
            found = member.value if isinstance(member.value, list) else [member.value]
            merged = [each for each in found if isinstance(each, dict)]
        else:
            own[str(key.value)] = member.value
    return merge_mappings(merged, own)
