"""A JSON text made to say another value: order of keys, spelling of numbers and strings stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from configsvc.documents.alignment import align, same
from configsvc.documents.tokens import walk

_OPENED: dict[str, Callable[[], object]] = {"{": dict, "[": list}


@dataclass(slots=True)
class _Node:
    """A value of the text; `token` is its spelling, or the bracket that opens it."""

    token: str
    value: object
    members: dict[str, _Node] = field(default_factory=dict)
    items: list[_Node] = field(default_factory=list)


def edit_json(text: str, new: object) -> str:
    """Return a JSON text for `new`, not laid out.

    New keys stand after the one that they follow in `new`.

    Args:
        text: JSON that `parse_json` accepted.
    """
    return _spell(_read(text), new)


def _read(text: str) -> _Node:
    root = _Node("", None)
    above: list[_Node] = []
    for place in walk(text):
        if place.is_key:
            continue
        del above[len(place.path) :]
        is_open = place.token in _OPENED
        node = _Node(place.token, _OPENED[place.token]() if is_open else json.loads(place.token))
        if not above:
            root = node
        else:
            _adopt(above[-1], place.path[-1], node)
        if is_open:
            above.append(node)
    return root


def _adopt(parent: _Node, step: str | int | None, node: _Node) -> None:
    if isinstance(parent.value, dict):
        parent.members[str(step)] = node
        parent.value[str(step)] = node.value
    elif isinstance(parent.value, list):
        parent.items.append(node)
        parent.value.append(node.value)


def _spell(node: _Node | None, new: object) -> str:
    if isinstance(new, dict):
        old = node.members if node is not None else {}
        spelled = (f"{_dumps(key)}:{_spell(old.get(key), new[key])}" for key in _order(old, new))
        return "{" + ",".join(spelled) + "}"
    if isinstance(new, list):
        items = node.items if node is not None else []
        before = {place: items[index] for index, place in align([i.value for i in items], new).pairs.items()}
        return "[" + ",".join(_spell(before.get(index), each) for index, each in enumerate(new)) + "]"
    return node.token if node is not None and same(node.value, new) else _dumps(new)


def _order(old: dict[str, _Node], new: dict[str, object]) -> list[str]:
    """Return the keys of `new`: those of `old` in its order, each new one after its predecessor."""
    following: dict[str, list[str]] = {}
    last = next((key for key in reversed(old) if key in new), "")
    for key in new:
        if key in old:
            last = key
        else:
            following.setdefault(last, []).append(key)
    order = [each for key in old if key in new for each in (key, *following.get(key, []))]
    return order or list(new)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
