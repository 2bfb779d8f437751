"""Which items of an old list go on in a new one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_MAX_COMPARISONS = 40_000
"""Beyond that the items between equal ends are paired by position: matching is quadratic, and worse."""


class Alignment(NamedTuple):
    """The way from an old list to a new one.

    Args:
        pairs: Index of the old item to that of the new one it becomes; both rise.
        added: New indexes without an old one, by the old index they follow; -1 at the front.
    """

    pairs: dict[int, int]
    added: dict[int, list[int]]


def align(old: Sequence[object], new: Sequence[object]) -> Alignment:
    """Return which items stay, change, go and come, with few changes."""
    before, after = (
        [json.dumps(each, sort_keys=True) for each in old],
        [json.dumps(each, sort_keys=True) for each in new],
    )
    pairs: dict[int, int] = {}
    for old_low, old_high, new_low, new_high in _stretches(before, after):
        pairs.update(zip(range(old_low, old_high), range(new_low, new_high), strict=False))
    added: dict[int, list[int]] = {}
    became = {new_index: old_index for old_index, new_index in pairs.items()}
    last = -1
    for index in range(len(new)):
        if index in became:
            last = became[index]
        else:
            added.setdefault(last, []).append(index)
    return Alignment(pairs, added)


def same(one: object, other: object) -> bool:
    """Return whether two values are one: `1`, `1.0` and `true` are three."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(member, other[key]) for key, member in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return one == other


def _stretches(before: list[str], after: list[str]) -> list[tuple[int, int, int, int]]:
    """Return stretches whose items pair up, first with first; what is left over goes or comes."""
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old_end, new_end = len(before) - tail, len(after) - tail
    ends = [(0, head, 0, head), (old_end, len(before), new_end, len(after))]
    if (old_end - head) * (new_end - head) > _MAX_COMPARISONS:
        return [*ends, (head, old_end, head, new_end)]
    matcher = SequenceMatcher(None, before[head:old_end], after[head:new_end], autojunk=False)
    middle = [
        (head + old_low, head + old_high, head + new_low, head + new_high)
        for _, old_low, old_high, new_low, new_high in matcher.get_opcodes()
    ]
    return [*ends, *middle]
