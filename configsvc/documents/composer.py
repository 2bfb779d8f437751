"""Builds the value of a YAML document from its events, and stops at the event that breaks a bound."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.bounds import Bounds
from configsvc.documents.scalars import Scalar, read_plain
from configsvc.documents.source import fault, json_pointer, shown_key

Mapping = dict[str, object]

_KINDS: dict[type, str] = {int: "an integer", float: "a number", bool: "a boolean", type(None): "empty"}
# libyaml hides the tag `!` of a scalar; only the text tells it.
_BARE_TAG = re.compile(r"(?:&\S*+(?:\s++|#[^\r\n]*+)*+)?!")


@dataclass(slots=True)
class _Node:
    """What an alias can repeat, and what repeating it costs.

    Args:
        nodes: Nodes in it, itself included, counted through aliases.
        size: Bytes of its scalars, counted through aliases.
        height: Containers on the longest way down; 0 for a scalar.
        is_open: Its end has not come yet.
    """

    value: object
    nodes: int = 1
    size: int = 0
    height: int = 0
    is_open: bool = False


@dataclass(slots=True)
class _Frame:
    """A mapping or list whose end has not come yet.

    Args:
        nodes_before: Count when it began, for the size of `node`; likewise `size_before`.
        items: The list; None in a mapping.
        key: Key whose value comes next; None when a key does.
        is_merge: That key is `<<`.
        merged: What `<<` named, first wins; None without one.
    """

    node: _Node
    nodes_before: int
    size_before: int
    items: list[object] | None
    members: Mapping = field(default_factory=dict)
    key: str | None = None
    is_merge: bool = False
    merged: list[Mapping] | None = None

    @property
    def expects_key(self) -> bool:
        return self.items is None and self.key is None

    @property
    def step(self) -> str | int | None:
        """Key or index of what comes next."""
        return self.key if self.items is None else len(self.items)


class Composer:
    """Takes the events of one document and holds its value.

    Time and memory are linear in the number of events; an alias shares the
    value that it names.

    Args:
        text: What the events were read from.
    """

    def __init__(self, text: str, *, bounds: Bounds) -> None:
        self.value: object = None
        self._text = text
        self._bounds = bounds
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Node] = {}
        self._documents = self._nodes = self._size = 0
        self._takers: dict[type[yaml.Event], Callable[..., None]] = {
            yaml.ScalarEvent: self._take_scalar,
            yaml.AliasEvent: self._take_alias,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.DocumentStartEvent: self._start,
        }

    def feed(self, event: yaml.Event) -> None:
        """Take the next event.

        Raises:
            DocumentInvalid: It breaks a bound, or is not allowed here.
        """
        take = self._takers.get(type(event))
        if take is not None:
            take(event)

    @property
    def pointer(self) -> str:
        """JSON pointer of the node that comes next."""
        return json_pointer(frame.step for frame in self._frames)

    def _start(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._fault(event, "documents: more than one (expected: one)")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        text: str = event.value
        is_merge = text == "<<" and event.implicit[0] and bool(self._frames) and self._frames[-1].expects_key
        try:
            value: Scalar = read_plain(text) if event.implicit[0] else text
            size = len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError:  # the parser in Python lets \ud800 through
            raise self._fault(event, "lone surrogate (expected: a character)") from None
        except ValueError as error:
            raise self._fault(event, str(error)) from error
        self._count(event, 1, size)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Node(value, size=size)
        self._put(event, value, is_merge=is_merge)

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        node, shown = self._anchors.get(name), shown_key(name)
        if node is None:
            raise self._fault(event, f"alias {shown} (expected: an anchor of that name before it)")
        if node.is_open:
            raise self._fault(event, f"alias {shown} stands inside what it names (expected: no cycles)")
        self._check_depth(event, len(self._frames) + node.height)
        self._count(event, node.nodes, node.size)
        if self._frames:
            frame = self._frames[-1].node
            frame.height = max(frame.height, node.height + 1)
        self._put(event, node.value)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        is_list = isinstance(event, yaml.SequenceStartEvent)
        self._check_tag(event)
        if self._frames and self._frames[-1].expects_key:
            raise self._fault(event, f"key: a {'list' if is_list else 'mapping'} (expected: a string)")
        self._check_depth(event, len(self._frames) + 1)
        node = _Node(None, height=1, is_open=True)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        frame = _Frame(node, self._nodes, self._size, [] if is_list else None)
        self._count(event, 1, 0)
        self._frames.append(frame)

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        frame = self._frames.pop()
        node = frame.node
        node.value = merge_mappings(frame.merged, frame.members) if frame.items is None else frame.items
        node.nodes = self._nodes - frame.nodes_before
        node.size = self._size - frame.size_before
        node.is_open = False
        if self._frames:
            parent = self._frames[-1].node
            parent.height = max(parent.height, node.height + 1)
        self._put(event, node.value)

    def _put(self, event: yaml.Event, value: object, *, is_merge: bool = False) -> None:
        """Set `value` as the next key, value or item of the innermost container."""
        if not self._frames:
            self.value = value
            return
        frame = self._frames[-1]
        if frame.items is not None:
            frame.items.append(value)
        elif frame.key is None:
            self._put_key(event, value, frame, is_merge)
        elif frame.is_merge:
            frame.merged = self._mappings(event, value)
            frame.key, frame.is_merge = None, False
        else:
            frame.members[frame.key] = value
            frame.key = None

    def _put_key(self, event: yaml.Event, value: object, frame: _Frame, is_merge: bool) -> None:
        if not isinstance(value, str):
            shown = shown_key(event.value if isinstance(event, yaml.ScalarEvent) else "*alias")
            kind = _KINDS.get(type(value), "a container")
            raise self._fault(event, f"key {shown} is {kind} (expected: a string; put it in quotes)")
        repeated = frame.merged is not None if is_merge else value in frame.members
        frame.key, frame.is_merge = value, is_merge
        if repeated:
            raise self._fault(event, f"duplicate key {shown_key(value)}")

    def _mappings(self, event: yaml.Event, value: object) -> list[Mapping]:
        found = value if isinstance(value, list) else [value]
        mappings = [each for each in found if isinstance(each, dict)]
        if len(mappings) != len(found):
            raise self._fault(event, "<<: something else (expected: a mapping, or a list of mappings)")
        return mappings

    def _count(self, event: yaml.Event, nodes: int, size: int) -> None:
        self._nodes += nodes
        self._size += size
        if self._nodes > self._bounds.max_nodes:
            raise self._fault(event, f"nodes: {self._nodes} (expected: <= {self._bounds.max_nodes})")
        if self._size > self._bounds.max_expanded_bytes:
            limit = self._bounds.max_expanded_bytes
            raise self._fault(event, f"bytes through aliases: {self._size} (expected: <= {limit})")

    def _check_depth(self, event: yaml.Event, depth: int) -> None:
        if depth > self._bounds.max_depth:
            raise self._fault(event, f"depth: {depth} (expected: <= {self._bounds.max_depth})")

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        tag = event.tag
        start = 0 if event.start_mark is None else event.start_mark.index
        first = self._text[start : start + 1]
        if tag is None and first in ("!", "&") and isinstance(event, yaml.ScalarEvent):
            tag = "!" if _BARE_TAG.match(self._text, start) else None
        if tag is not None:
            raise self._fault(event, f"tag {shown_key(tag)} (expected: no tags)")

    def _fault(self, event: yaml.Event, message: str) -> DocumentInvalid:
        mark = event.start_mark
        if mark is None:
            return fault(message, pointer=self.pointer)
        return fault(message, line=mark.line + 1, column=mark.column + 1, pointer=self.pointer)


def merge_mappings(merged: list[Mapping] | None, own: Mapping) -> Mapping:
    """Return the members of a mapping: its own, and what `<<` named; None without one."""
    if merged is None:
        return own
    value: Mapping = {}
    for mapping in merged:
        for key, member in mapping.items():
            value.setdefault(key, member)
    return value | own
