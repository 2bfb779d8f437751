"""Patches of values: merge patch (RFC 7396) and JSON Patch (RFC 6902).

Both are functions from value to value.  Nothing that they are given is changed,
and the result may share parts with it: values are read-only everywhere.

PyPI's `jsonpatch` is well kept, yet cannot hold this: it copies a document with
`copy.deepcopy`, which keeps what YAML aliases share shared, so that a change at
one alias shows at the other; it cannot be stopped between two operations, when
forty copies of a document into itself are a terabyte; and its errors
quote the document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from configsvc.core.errors import ConfigError, DocumentInvalid, PatchFailed
from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.pointer import Pointer, item_index, parse_pointer, step_into
from configsvc.documents.source import shown_key

MAX_OPERATIONS = 1000
_WORK_PER_NODE = 10
"""Nodes that a JSON Patch may look at, for each node that a document may have."""

Value = dict[str, object]
_NOTHING = object()


def merge_patch(value: Value, patch: object, *, bounds: Bounds = DEFAULT_BOUNDS) -> Value:
    """Return `value` with a merge patch applied: null removes, mappings merge, all else replaces.

    Args:
        patch: As parsed, within `bounds`.

    Raises:
        DocumentInvalid: The patch is not a mapping, or the result breaks a bound.
    """
    if not isinstance(patch, dict):
        raise DocumentInvalid("merge patch: is no mapping (expected: one, since documents are)")
    merged = _merged(value, patch)
    _Meter(bounds).weigh(merged).check(bounds, depth=0)
    return merged


def apply_patch(value: Value, patch: object, *, bounds: Bounds = DEFAULT_BOUNDS) -> Value:
    """Return `value` with a JSON Patch applied: all of its operations, in order.

    Args:
        patch: As parsed, within `bounds`.

    Raises:
        DocumentInvalid: Not a JSON Patch, or a bound is broken on the way.
        PatchFailed: A pointer leads nowhere, or a test does not hold; `details`
            has the index of the operation.
    """
    if not isinstance(patch, list):
        raise DocumentInvalid("patch: is no list (expected: a list of operations)")
    if len(patch) > MAX_OPERATIONS:
        raise DocumentInvalid(f"operations: {len(patch)} (expected: <= {MAX_OPERATIONS})")
    target = _Target(value, bounds)
    for index, operation in enumerate(patch):
        try:
            target.apply(operation)
        except (DocumentInvalid, PatchFailed) as error:
            raise _located(error, index) from error
    if not isinstance(target.root, dict):
        raise DocumentInvalid("patch: the result is no mapping (expected: one, since documents are)")
    return target.root


def equal(one: object, other: object) -> bool:
    """Return whether two values are equal as RFC 6902 has it: numbers by magnitude, booleans are none."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(member, other[key]) for key, member in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _merged(value: object, patch: object) -> Value:
    assert isinstance(patch, dict)
    merged = dict(value) if isinstance(value, dict) else {}
    for key, member in patch.items():
        if member is None:
            merged.pop(key, None)
        elif isinstance(member, dict):
            merged[key] = _merged(merged.get(key), member)
        else:
            merged[key] = member
    return merged


@dataclass(slots=True)
class _Weight:
    """What a value costs, counted through everything it shares.

    Args:
        size: Characters of its strings and keys, digits of its integers.
        height: Containers on the longest way down.
    """

    nodes: int = 0
    size: int = 0
    height: int = 0

    def check(self, bounds: Bounds, *, depth: int) -> None:
        """Raise `DocumentInvalid` unless a value of this weight fits below `depth` containers."""
        for name, found, limit in (
            ("depth", depth + self.height, bounds.max_depth),
            ("nodes", self.nodes, bounds.max_nodes),
            ("size", self.size, bounds.max_expanded_bytes),
        ):
            if found > limit:
                raise DocumentInvalid(f"{name}: {found} (expected: <= {limit})")


class _Meter:
    """Weighs values, up to an amount of work in all."""

    def __init__(self, bounds: Bounds) -> None:
        self._limit = self._left = _WORK_PER_NODE * bounds.max_nodes

    def weigh(self, value: object) -> _Weight:
        weight = _Weight()
        level = [value]
        while level:
            self._left -= len(level)
            if self._left < 0:
                raise DocumentInvalid(
                    f"patch: looks at over {self._limit} nodes (expected: fewer operations)"
                )
            weight.nodes += len(level)
            below: list[object] = []
            for each in level:
                if isinstance(each, dict):
                    weight.nodes += len(each)
                    weight.size += sum(map(len, each))
                    below.extend(each.values())
                elif isinstance(each, list):
                    below.extend(each)
                elif isinstance(each, str):
                    weight.size += len(each)
                elif isinstance(each, int):
                    weight.size += each.bit_length() // 3
            weight.height += any(isinstance(each, dict | list) for each in level)
            level = below
        return weight


class _Target:
    """The value as it is between two operations.

    A container is copied before its first change and changed in place after
    that: `_owned` holds the copies, each of which stands in one place only.
    """

    def __init__(self, value: Value, bounds: Bounds) -> None:
        self.root: object = value
        self._bounds = bounds
        self._meter = _Meter(bounds)
        self._weight = self._meter.weigh(value)
        self._owned: dict[int, object] = {}
        self._takers: dict[str, Callable[[Value, Pointer], None]] = {
            "add": lambda operation, path: self._add(path, _member(operation, "value")),
            "remove": lambda operation, path: self._lighten(self._take(path)),
            "replace": self._replace,
            "move": self._move,
            "copy": self._copy,
            "test": self._test,
        }

    def apply(self, operation: object) -> None:
        """Apply one operation."""
        if not isinstance(operation, dict):
            raise DocumentInvalid("operation: is no mapping (expected: one with op and path)")
        name = _member(operation, "op")
        taker = self._takers.get(name) if isinstance(name, str) else None
        if taker is None:
            shown = shown_key(name) if isinstance(name, str) else "is no string"
            raise DocumentInvalid(f"op: {shown} (expected: one of {', '.join(self._takers)})")
        taker(operation, parse_pointer(_member(operation, "path")))

    def _find(self, path: Pointer) -> object:
        found = self.root
        for step in path:
            found = step_into(found, step)
        return found

    def _replace(self, operation: Value, path: Pointer) -> None:
        new = _member(operation, "value")
        old = self._find(path)
        self._weigh_in(new, depth=len(path), instead_of=old)
        self._set(path, new)

    def _move(self, operation: Value, path: Pointer) -> None:
        source = parse_pointer(_member(operation, "from"))
        if source == path:
            self._find(source)
            return
        if path[: len(source)] == source:
            raise PatchFailed("from: contains path (expected: no value moved into itself)")
        moved = self._take(source)
        self._lighten(moved)
        self._add(path, moved)

    def _copy(self, operation: Value, path: Pointer) -> None:
        copied = self._find(parse_pointer(_member(operation, "from")))
        self._owned.clear()  # what is copied stands in two places from now on
        self._add(path, copied)

    def _test(self, operation: Value, path: Pointer) -> None:
        if not equal(self._find(path), _member(operation, "value")):
            raise PatchFailed("test: another value stands there (expected: the one given)")

    def _add(self, path: Pointer, value: object) -> None:
        if not path:
            self._weigh_in(value, depth=0, instead_of=self.root)
            self.root = value
            return
        parent, step = self._own(path[:-1]), path[-1]
        if isinstance(parent, list):
            index = len(parent) if step == "-" else item_index(parent, step, len(parent))
            self._weigh_in(value, depth=len(path))
            parent.insert(index, value)
            return
        if not isinstance(parent, dict):
            raise PatchFailed(f"pointer: {shown_key(step)} below a scalar (expected: a mapping or a list)")
        if step in parent:
            self._weigh_in(value, depth=len(path), instead_of=parent[step])
        else:
            self._weigh_in(value, depth=len(path))
            self._count(_Weight(nodes=1, size=len(step)))
        parent[step] = value

    def _set(self, path: Pointer, value: object) -> None:
        if not path:
            self.root = value
            return
        parent, step = self._own(path[:-1]), path[-1]
        if isinstance(parent, dict):
            parent[step] = value
        elif isinstance(parent, list):
            parent[item_index(parent, step, len(parent) - 1)] = value

    def _take(self, path: Pointer) -> object:
        """Remove what stands at `path` and return it; its weight stays counted."""
        if not path:
            raise PatchFailed("pointer: the whole document (expected: something in it)")
        self._find(path)
        parent, step = self._own(path[:-1]), path[-1]
        if isinstance(parent, list):
            return parent.pop(item_index(parent, step, len(parent) - 1))
        assert isinstance(parent, dict)
        self._count(_Weight(nodes=-1, size=-len(step)))
        return parent.pop(step)

    def _own(self, path: Pointer) -> object:
        """Return what stands at `path`, after making everything on the way there safe to change."""
        self.root = found = self._owned_copy(self.root)
        for step in path:
            child = self._owned_copy(step_into(found, step))
            if isinstance(found, dict):
                found[step] = child
            elif isinstance(found, list):
                found[int(step)] = child
            found = child
        return found

    def _owned_copy(self, value: object) -> object:
        if id(value) in self._owned or not isinstance(value, dict | list):
            return value
        copied = value.copy()
        self._owned[id(copied)] = copied  # held, so that no other object gets its id
        return copied

    def _weigh_in(self, value: object, *, depth: int, instead_of: object = _NOTHING) -> None:
        weight = self._meter.weigh(value)
        weight.check(self._bounds, depth=depth)
        if instead_of is not _NOTHING:
            self._lighten(instead_of)
        self._count(weight)

    def _lighten(self, value: object) -> None:
        weight = self._meter.weigh(value)
        self._count(_Weight(-weight.nodes, -weight.size))

    def _count(self, weight: _Weight) -> None:
        self._weight.nodes += weight.nodes
        self._weight.size += weight.size
        _Weight(self._weight.nodes, self._weight.size).check(self._bounds, depth=0)


def _member(operation: Value, name: str) -> object:
    if name not in operation:
        raise DocumentInvalid(f"operation: has no {name} (expected: one)")
    return operation[name]


def _located(error: ConfigError, index: int) -> ConfigError:
    message = f"operation {index}: {error.message}"
    return type(error)(message, [{"operation": index, "message": error.message}])
