"""Converters from plain JSON data to the types that fields have.  No coercion but whole number to float."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import enum
import pathlib
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from configsvc.client.live.difference import escaped


class Finding(NamedTuple):
    """What does not fit, without values where `message` is ours.

    Args:
        pointer: JSON pointer of the place.
        kind: Set where `message` is of somebody else's code, and so may have a value in it: its type.
    """

    pointer: str
    message: str
    kind: str = ""


Findings = list[Finding]
Convert = Callable[[object, str, Findings], Any]
Compile = Callable[[Any], Convert]

_PLAIN: Mapping[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
    type(None): ((type(None),), "null"),
}
_FROM_TEXT: Mapping[Any, Callable[[str], Any]] = {
    pathlib.Path: pathlib.Path,
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
}
_LISTS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: frozenset,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def is_model(kind: type) -> bool:
    """Return whether `kind` is a model of pydantic 2, which validates by itself."""
    return hasattr(kind, "model_validate") and hasattr(kind, "model_fields")


def is_record(kind: type) -> bool:
    """Return whether `kind` has named fields."""
    return dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) or is_model(kind)


def kind_of(value: object) -> str:
    """Return what a value is, without telling it."""
    for kind, (_, name) in _PLAIN.items():
        if type(value) is kind:
            return name
    return "an object" if isinstance(value, Mapping) else "a list"


def attempt(make: Callable[[], Any], pointer: str, found: Findings) -> Any:
    """Return what `make`, which is the application's, returns; what it raises becomes a finding."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - code of others; the finding tells it
        name = type(error).__name__
        found.append(Finding(pointer, f"{name}: {error}", name))
        return None


def converter(kind: Any, compile_: Compile) -> Convert:
    """Return the converter to a type without fields.

    Args:
        compile_: Returns the converters to the types of its parts.

    Raises:
        TypeError: There is none.
    """
    if kind in (Any, object):
        return lambda value, pointer, found: value
    if isinstance(kind, typing.NewType):
        return compile_(kind.__supertype__)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choice(tuple(member.value for member in kind), kind)
    if kind in _PLAIN:
        return _plain(kind)
    if kind is None:
        return _plain(type(None))
    if kind in _FROM_TEXT:
        return _from_text(kind.__name__, _FROM_TEXT[kind])
    if getattr(kind, "__module__", "") == "uuid" and isinstance(kind, type):
        return _from_text(kind.__name__, kind)  # loading it takes longer than all this; who uses it has it
    return _compound(kind, typing.get_origin(kind) or kind, typing.get_args(kind), compile_)


def _compound(kind: Any, origin: Any, args: tuple[Any, ...], compile_: Compile) -> Convert:
    if origin in (typing.Annotated, typing.Required, typing.NotRequired, typing.Final):
        return compile_(args[0])
    if origin is typing.Literal:
        return _choice(args, None)
    if origin in (typing.Union, types.UnionType):
        return _union([(each, compile_(each)) for each in args])
    if origin is tuple:
        return _tuple(args, compile_)
    if origin in _LISTS:
        return _list(compile_(args[0] if args else Any), _LISTS[origin])
    if origin in _MAPPINGS:
        return _mapping(compile_(args[0] if args else str), compile_(args[1] if args else Any))
    raise TypeError(
        f"type {kind!r} (expected: a dataclass, TypedDict, pydantic model, or a type that JSON has, "
        "such as int, str, list[str], dict[str, int], Literal or an Enum)"
    )


def _plain(kind: type) -> Convert:
    accepted, name = _PLAIN[kind]

    def convert(value: object, pointer: str, found: Findings) -> Any:
        # True is an int to Python, and not to JSON.
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            found.append(Finding(pointer, f"{kind_of(value)} (expected: {name})"))
            return None
        return _as_float(value, pointer, found) if kind is float and isinstance(value, int) else value

    return convert


def _as_float(value: int, pointer: str, found: Findings) -> float | None:
    try:
        return float(value)
    except OverflowError:
        found.append(Finding(pointer, "a whole number that no float holds (expected: a smaller one)"))
        return None


def _from_text(name: str, make: Callable[[str], Any]) -> Convert:
    def convert(value: object, pointer: str, found: Findings) -> Any:
        if isinstance(value, str):
            try:
                return make(value)
            except ValueError:
                pass
        found.append(Finding(pointer, f"{kind_of(value)} (expected: a string that is a {name})"))
        return None

    return convert


def _choice(values: tuple[Any, ...], make: Callable[[Any], Any] | None) -> Convert:
    expected = ", ".join(map(repr, values))

    def convert(value: object, pointer: str, found: Findings) -> Any:
        if not any(type(value) is type(each) and value == each for each in values):
            found.append(Finding(pointer, f"{kind_of(value)} that is no choice (expected: {expected})"))
            return None
        return value if make is None else make(value)

    return convert


def _union(choices: list[tuple[Any, Convert]]) -> Convert:
    def convert(value: object, pointer: str, found: Findings) -> Any:
        tried: list[Findings] = []
        for _, choice in choices:
            here: Findings = []
            taken = choice(value, pointer, here)
            if not here:
                return taken
            tried.append(here)
        # The one that came furthest knows best what is wrong.
        deepest = max(tried, key=lambda each: max(len(finding.pointer) for finding in each))
        if all(finding.pointer == pointer for finding in deepest):
            names = " or ".join(_name(kind) for kind, _ in choices)
            found.append(Finding(pointer, f"{kind_of(value)} (expected: {names})"))
        else:
            found.extend(deepest)
        return None

    return convert


def _name(kind: Any) -> str:
    return _PLAIN[kind][1] if kind in _PLAIN else str(getattr(kind, "__name__", kind))


def _items(
    value: object, converts: Callable[[int], Convert], pointer: str, found: Findings
) -> list[Any] | None:
    if not isinstance(value, list):
        found.append(Finding(pointer, f"{kind_of(value)} (expected: a list)"))
        return None
    before = len(found)
    made = [converts(place)(item, f"{pointer}/{place}", found) for place, item in enumerate(value)]
    return made if len(found) == before else None


def _list(item: Convert, make: Callable[[list[Any]], Any]) -> Convert:
    def convert(value: object, pointer: str, found: Findings) -> Any:
        made = _items(value, lambda place: item, pointer, found)
        return None if made is None else attempt(lambda: make(made), pointer, found)

    return convert


def _tuple(args: tuple[Any, ...], compile_: Compile) -> Convert:
    if not args or args[-1] is Ellipsis:
        return _list(compile_(args[0] if args else Any), tuple)
    items = [compile_(each) for each in args]

    def convert(value: object, pointer: str, found: Findings) -> Any:
        if isinstance(value, list) and len(value) != len(items):
            found.append(Finding(pointer, f"a list of {len(value)} (expected: {len(items)} items)"))
            return None
        made = _items(value, lambda place: items[place], pointer, found)
        return None if made is None else tuple(made)

    return convert


def _mapping(key: Convert, item: Convert) -> Convert:
    def convert(value: object, pointer: str, found: Findings) -> Any:
        if not isinstance(value, Mapping):
            found.append(Finding(pointer, f"{kind_of(value)} (expected: an object)"))
            return None
        places = {name: f"{pointer}/{escaped(name)}" for name in value}
        return {
            key(name, places[name], found): item(each, places[name], found) for name, each in value.items()
        }

    return convert
