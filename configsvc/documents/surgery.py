"""A YAML text made to say another value by changing only the lines that must.

The nodes of the text are visited in its order beside the new value.  What
differs becomes cuts in the text; all else stays byte for byte, because nobody
writes it anew.  The order matters for anchors: an alias is left alone when
what it names *will* say what is wanted at the alias, and is written out otherwise.

The result has to be parsed and compared by the caller: YAML has corners (an
explicit key, a comment that slips into a block scalar) where a cut misses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from configsvc.documents.alignment import align, same
from configsvc.documents.cuts import Cuts, SurgeryFailed
from configsvc.documents.nodes import Kind, Node
from configsvc.documents.spelling import (
    Layout,
    block_lines,
    is_block,
    literal_header,
    spell_flow,
    spell_scalar,
)

Value = dict[str, object]
_BLOCK_HEADER = re.compile(r"[|>]([-+]?)([ \t]*(?:#.*)?)")
_COLON = re.compile(r"\s*:")


class Slot(NamedTuple):
    """Where a value stands.

    Args:
        head: Offset after the colon or dash before it.
        column: Of the key or dash.
        is_item: Stands after a dash.
        in_flow: Stands between brackets.
        has_colon: False for a key in brackets that stands alone.
    """

    head: int
    column: int
    is_item: bool = False
    in_flow: bool = False
    has_colon: bool = True


class Surgeon:
    """Cuts one text.

    Args:
        text: Its line ends are newlines.
        is_careful: No new literal blocks, and no comments left that an old one could swallow.
    """

    def __init__(self, text: str, root: Node, *, is_careful: bool = False) -> None:
        self._text = text
        self._root = root
        self._layout = replace(find_layout(text, root), has_literals=not is_careful)
        self._cuts = Cuts(text, takes_comments=is_careful)
        self._anchored: dict[str, object] = {}
        """What the anchors so far will stand for."""
        self._has_anchors = "&" in text  # or what looks like one

    def operate(self, new: Value, *, is_coarse: bool = False) -> str:
        """Return the text for `new`.

        Args:
            is_coarse: Write each member of the top level that differs anew, as a whole.

        Raises:
            SurgeryFailed: It cannot be done by cuts.
        """
        if new and self._root.value:
            self._visit_content(self._root, new, Slot(self._root.start, 0), is_coarse=is_coarse)
        else:
            self._replace_root(new)
        return self._cuts.apply()

    def _replace_root(self, new: Value) -> None:
        root = self._root
        if (root.value and root.is_flow) or not new:
            self._cuts.replace(root.body, root.end, spell_flow(new))
            return
        before = self._text[: root.start].rstrip(" ")
        lead = "\n" if before and not before.endswith("\n") else ""  # after `---`
        self._cuts.replace(len(before), root.end, lead + "\n".join(self._layout.lines(new, 0)))

    def _visit(self, node: Node, new: object, slot: Slot, *, is_whole: bool = False) -> None:
        """Make `node` say `new`."""
        if not self._has_anchors and same(node.value, new):
            return  # with anchors, what they stand for has to be followed all the same
        if node.kind is Kind.ALIAS:
            if node.anchor not in self._anchored or not same(self._anchored[node.anchor], new):
                self._replace(node, new, slot)
            return
        if node.anchor:
            self._anchored[node.anchor] = new
        if is_whole and not same(node.value, new):
            self._replace(node, new, slot)
        elif is_block(new) and is_block(node.value) and isinstance(new, type(node.value)):
            self._visit_content(node, new, slot)
        elif not same(node.value, new):
            self._replace(node, new, slot)

    def _visit_content(self, node: Node, new: object, slot: Slot, *, is_coarse: bool = False) -> None:
        plan = _mapping_plan(node, new, self._anchored) if isinstance(new, dict) else _list_plan(node, new)
        if not plan.kept:
            if node is self._root and isinstance(new, dict):
                self._replace_root(new)
            else:
                self._replace(node, new, slot)
            return
        if node.is_flow and self._text[node.body] not in "[{":
            raise SurgeryFailed("a pair in a list in brackets")
        entries = self._entries(node)
        for index, (key, member) in enumerate(plan.nodes):
            if index in plan.changes:
                self._visit_key(key)
                self._visit(member, plan.changes[index], entries[index].slot, is_whole=is_coarse)
        if len(plan.kept) < len(entries) or plan.added:
            self._reshape(node, entries, plan)

    def _visit_key(self, key: Node | None) -> None:
        if key is None or not key.anchor:
            return
        if key.kind is not Kind.ALIAS:
            self._anchored[key.anchor] = key.value
        elif self._anchored.get(key.anchor) != key.value:
            self._cuts.replace(key.start, key.end, spell_scalar(key.value))

    def _entries(self, node: Node) -> list[_Entry]:
        if node.kind is Kind.MAPPING:
            return [self._pair_entry(node, key, member) for key, member in node.members]
        if node.is_flow:
            return [_Entry(each.start, each.end, Slot(each.start, 0, in_flow=True)) for each in node.items]
        entries, offset = [], node.body
        for item in node.items:
            dash = self._cuts.skip_space(offset)
            if self._text[dash : dash + 1] != "-":
                raise SurgeryFailed("a list without a dash")
            slot = Slot(dash + 1, self._cuts.column(dash), is_item=True)
            entries.append(_Entry(dash, max(item.end, dash + 1), slot))
            offset = max(item.end, dash + 1)
        return entries

    def _pair_entry(self, node: Node, key: Node, member: Node) -> _Entry:
        colon = _COLON.match(self._text, key.end)
        has_colon = colon is not None and colon.end() <= member.start
        head = colon.end() if colon is not None and has_colon else key.end
        before = self._text[: key.start].rstrip(" ")
        start = len(before) - 1 if before.endswith("?") else key.start
        slot = Slot(head, self._cuts.column(start), in_flow=node.is_flow, has_colon=has_colon)
        return _Entry(start, max(member.end, head), slot)

    def _reshape(self, node: Node, entries: list[_Entry], plan: _Plan) -> None:
        """Take entries out and put new ones in."""
        if node.is_flow:
            self._reshape_flow(entries, plan)
            return
        column = entries[0].slot.column
        for index, entry in enumerate(entries):
            if index not in plan.kept:
                following = entries[index + 1].start if index + 1 in plan.kept else None
                self._cuts.remove_lines(entry.start, entry.end, following)
        for index, keys in plan.added.items():
            lines = [line for key in keys for line in self._lines(key, plan.new, column)]
            if index < 0:
                text = "\n".join(lines).lstrip(" ") + "\n" + " " * column
                self._cuts.insert(entries[min(plan.kept)].start, text)
            else:
                self._cuts.insert_lines(entries[index].end, lines)

    def _reshape_flow(self, entries: list[_Entry], plan: _Plan) -> None:
        last = max(plan.kept)
        for index, entry in enumerate(entries[:last]):
            if index not in plan.kept:
                self._cuts.replace(entry.start, entries[index + 1].start, "")
        if last + 1 < len(entries):
            self._cuts.replace(entries[last].end, entries[-1].end, "")
        gap = self._cuts.gap([(entry.start, entry.end) for entry in entries])
        for index, keys in plan.added.items():
            texts = [_flow_entry(key, plan.new) for key in keys]
            if index < 0:
                self._cuts.insert(entries[min(plan.kept)].start, "".join(text + gap for text in texts))
            else:
                self._cuts.insert(entries[index].end, "".join(gap + text for text in texts))

    def _lines(self, key: str | int, new: Value | list[object], column: int) -> list[str]:
        if isinstance(new, dict):
            return self._layout.member(str(key), new[str(key)], column)
        return self._layout.item(new[int(key)], column)

    def _replace(self, node: Node, new: object, slot: Slot) -> None:
        """Write `new` where `node` stands; its anchor stays."""
        if not (slot.has_colon or slot.in_flow):
            raise SurgeryFailed("a key without a colon")
        head = slot.head if node.anchor_end is None else node.anchor_end
        if slot.in_flow:
            self._replace_inline(
                node, head, slot, spell_flow(new) if is_block(new) else _inline(node, new, slot)
            )
        elif (
            node.style in ("|", ">") and isinstance(new, str) and self._replace_block_scalar(node, new, slot)
        ):
            return
        elif is_block(new) and node.is_flow and is_block(node.value):
            self._replace_inline(node, head, slot, spell_flow(new))
        elif is_block(new):
            self._replace_by_block(node, new, head, slot)
        elif not node.style and (header := self._layout.header(new)):
            lines = block_lines(str(new), slot.column + self._layout.step)
            self._cuts.replace_by_lines(head, node.body, node.end, f" {header}", lines)
        else:
            self._replace_inline(node, head, slot, _inline(node, new, slot))

    def _replace_inline(self, node: Node, head: int, slot: Slot, text: str) -> None:
        if node.body == node.end and node.body <= head:
            self._cuts.insert(head, f" {text}" if slot.has_colon else f": {text}")
        elif node.is_flow or slot.in_flow or "\n" not in self._text[head : node.body]:
            lead = " " if node.body == head and node.body and self._text[head - 1] in ":-" else ""
            self._cuts.replace(node.body, node.end, lead + text)
        else:
            self._cuts.pull_up(head, node.end, f" {text}")

    def _replace_by_block(self, node: Node, new: object, head: int, slot: Slot) -> None:
        is_bare = self._cuts.is_line_end(node.end) and "\n" not in self._text[head : node.body]
        if slot.is_item and node.anchor_end is None and is_bare:
            first, *more = self._layout.item(new, slot.column)
            self._cuts.replace(head, node.end, "\n".join([first[slot.column + 1 :], *more]))
            return
        if slot.is_item:
            lines = self._layout.lines(new, slot.column + 2)
        else:
            lines = self._layout.below(new, slot.column)
        self._cuts.replace_by_lines(head, node.body, node.end, "", lines)

    def _replace_block_scalar(self, node: Node, new: str, slot: Slot) -> bool:
        """Write a string into a block scalar with its own indent; return False where that cannot be."""
        first, _, content = self._text[node.body : node.end].partition("\n")
        header, chomp = _BLOCK_HEADER.fullmatch(first), literal_header(new)
        if header is None or chomp is None or header[1] == "+":
            return False
        indents = [len(line) - len(line.lstrip(" ")) for line in content.split("\n") if line.strip(" ")]
        column = indents[0] if indents else slot.column + self._layout.step
        lines = block_lines(new, column)
        if node.style == ">":
            if any(line[:1] in ("", "\t") or line[column : column + 1] in (" ", "\t") for line in lines):
                return False
            lines = "\n\n".join(lines).split("\n")
        opening = node.style + chomp[1:] + header[2]
        self._cuts.replace(node.body, node.end, "\n".join([opening, *lines]))
        return True


@dataclass(slots=True)
class _Entry:
    """A pair or an item in the text, from its key or dash to the end of its value."""

    start: int
    end: int
    slot: Slot


@dataclass(slots=True)
class _Plan:
    """What becomes of the entries of a container.

    Args:
        nodes: Key, or None in a list, and value of each.
        changes: New value by index, of those that have one.
        kept: Indexes of those that stay.
        added: Keys or new indexes, by the index they follow; -1 at the front.
    """

    new: Value | list[object]
    nodes: list[tuple[Node | None, Node]]
    changes: dict[int, object] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    added: dict[int, list[str | int]] = field(default_factory=dict)


def _mapping_plan(node: Node, new: Value, anchored: dict[str, object]) -> _Plan:
    plan = _Plan(new, list(node.members))
    inherited: Value = {}
    for index, (key, member) in enumerate(node.members):
        if key.is_merge:
            found = _inherited(member, anchored)
            if found is not None and found.keys() <= new.keys():
                inherited = found
                plan.kept.add(index)
        elif key.value in new:
            plan.kept.add(index)
            plan.changes[index] = new[str(key.value)]
    places = {str(node.members[index][0].value): index for index in plan.changes}
    last = -1 if places else max(plan.kept, default=-1)
    end = max(plan.kept, default=-1)
    for name, member_value in new.items():
        if name in places:
            last = places[name]
        elif name not in inherited or not same(inherited[name], member_value):
            plan.added.setdefault(last if last >= 0 else end, []).append(name)
    return plan


def _list_plan(node: Node, new: object) -> _Plan:
    assert isinstance(new, list)
    alignment = align([item.value for item in node.items], new)
    return _Plan(
        new,
        [(None, item) for item in node.items],
        {index: new[place] for index, place in alignment.pairs.items()},
        set(alignment.pairs),
        {index: list(places) for index, places in alignment.added.items()},
    )


def _inherited(member: Node, anchored: dict[str, object]) -> Value | None:
    """Return what `<<` will bring; None when one of its anchors will be gone."""
    sources = member.items if member.kind is Kind.LIST else [member]
    value: Value = {}
    for source in sources:
        found = anchored.get(source.anchor) if source.kind is Kind.ALIAS else _plain_members(source)
        if not isinstance(found, dict):
            return None
        value = found | value
    return value


def _plain_members(node: Node) -> Value | None:
    """Return a mapping written after `<<`; None when it has more than scalars without anchors."""
    parts = [part for pair in node.members for part in pair]
    is_plain = all(part.kind is Kind.SCALAR and not part.anchor and not part.is_merge for part in parts)
    return (
        {str(key.value): member.value for key, member in node.members}
        if is_plain and not node.anchor
        else None
    )


def _inline(node: Node, new: object, slot: Slot) -> str:
    if isinstance(new, dict | list):
        return spell_flow(new)
    style = node.style if node.kind is Kind.SCALAR and node.style in ("'", '"') else ""
    return spell_scalar(new, style, in_flow=slot.in_flow)


def _flow_entry(key: str | int, new: Value | list[object]) -> str:
    if isinstance(new, dict):
        return spell_flow({str(key): new[str(key)]})[1:-1]
    return spell_flow(new[int(key)])


def find_layout(text: str, root: Node) -> Layout:
    """Return how `text` indents most: its blocks, and its lists."""
    steps: dict[int, int] = {}
    dashes: dict[int, int] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        for key, member in node.members:
            if not member.is_flow and is_block(member.value) and member.kind is not Kind.ALIAS:
                inner = member.items[0].start if member.items else member.members[0][0].start
                first = member.body if member.items else inner
                distance = _column(text, first) - _column(text, key.start)
                found = dashes if member.items else steps
                found[distance] = found.get(distance, 0) + 1
            waiting.append(member)
        waiting.extend(node.items)
    step = max((each for each in steps if 1 <= each <= 8), key=lambda each: steps[each], default=2)
    dash = max((each for each in dashes if 0 <= each <= 8), key=lambda each: dashes[each], default=step)
    return Layout(step, dash)


def _column(text: str, offset: int) -> int:
    return offset - text.rfind("\n", 0, offset) - 1
