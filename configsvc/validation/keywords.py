"""JSON Schema's keywords where the library's own would say too little or take too long, and the meter.

The library's `uniqueItems` compares every pair, its `multipleOf` overflows on
large integers and calls 0.3 no multiple of 0.1, its `additionalProperties`
names all keys in one finding.  The meter counts the processor time of the
thread that judges, so that a judgement can be given up and handed to a worker.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import ValidationError

from configsvc.validation.shown import shown_list, shown_value

# Python's hash of a larger number is its remainder, so that thousands could be made to share one hash.
_HASHED_AS_IS = 1 << 53

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class MeterExceeded(Exception):
    """The judgement has used the processor time it was given."""


class _Meter(threading.local):
    deadline_s: float | None = None


_METER = _Meter()


@contextmanager
def metered(cpu_limit_s: float | None) -> Iterator[None]:
    """Let judgements of this thread raise `MeterExceeded` after that much processor time; None: never."""
    before = _METER.deadline_s
    _METER.deadline_s = None if cpu_limit_s is None else time.thread_time() + cpu_limit_s
    try:
        yield
    finally:
        _METER.deadline_s = before


def judging_class(validator: Any) -> Any:
    """Return a validator class for values, made from one of the library's drafts."""
    own = {name: keyword for name, keyword in _OWN.items() if name in validator.VALIDATORS}
    if "prefixItems" in validator.VALIDATORS:
        own["items"] = _items
    keywords = {**validator.VALIDATORS, **own}
    metered_keywords = {name: _metered(keyword) for name, keyword in keywords.items()}
    return validators.extend(validator, metered_keywords)  # type: ignore[no-untyped-call] # its stub says so


def _metered(keyword: Keyword) -> Keyword:
    def judge(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError] | None:
        deadline_s = _METER.deadline_s
        if deadline_s is not None and time.thread_time() > deadline_s:
            raise MeterExceeded
        return keyword(validator, value, instance, schema)

    return judge


def _required(validator: Any, names: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield ValidationError(f"key {shown_value(name)} is missing")


def _dependent_required(validator: Any, names: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for name, needed in names.items():
        for each in needed if name in instance else ():
            if each not in instance:
                yield ValidationError(
                    f"key {shown_value(each)} is missing (expected: there, beside {shown_value(name)})"
                )


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties", {})
    judge = validator.evolve(schema=allowed)
    # One by one: joined by `|`, as the library has it, groups and flags of one would meddle with another.
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", ())]
    for name, value in instance.items():
        if name in known or any(pattern.search(name) for pattern in patterns):
            continue
        if allowed is False:
            expected = f"one of {shown_list(known)}" if known and not patterns else "another key, or none"
            yield ValidationError(f"key {shown_value(name)} is not known (expected: {expected})", path=[name])
        else:
            yield from _placed(judge, value, name)


def _items(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Judge as 2020-12 has it; one validator serves all items, where the library makes one for each."""
    if not isinstance(instance, list):
        return
    prefix = len(schema.get("prefixItems", ()))
    if allowed is False and len(instance) > prefix:
        yield ValidationError("too many items")  # `messages` says it better
        return
    judge = validator.evolve(schema=allowed)
    for index in range(prefix, len(instance)):
        yield from _placed(judge, instance[index], index)


def _placed(judge: Any, value: object, place: str | int) -> Iterator[ValidationError]:
    for error in judge.iter_errors(value):
        error.path.appendleft(place)
        yield error


def _unique_items(validator: Any, is_asked: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not is_asked or not isinstance(instance, list):
        return
    seen: dict[object, int] = {}
    for index, item in enumerate(instance):
        first = seen.setdefault(_key(item), index)
        if first != index:
            message = f"{shown_value(item)} is item {first} again (expected: each item once)"
            yield ValidationError(message, path=[index])


def _key(value: object) -> object:
    """Return something hashable that is equal for values that JSON Schema calls equal (1 and 1.0 are)."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _key(each)) for name, each in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(_key, value)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (isinstance(value, bool), value)
    return (False, value) if abs(value) < _HASHED_AS_IS else ("number", hex(int(value)))


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    if _exact(instance) % _exact(divisor):
        yield ValidationError(f"{shown_value(instance)} is not a multiple of {shown_value(divisor)}")


def _exact(number: float) -> Fraction:
    """Return the number as it is written: 0.1 is a tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


_OWN: dict[str, Keyword] = {
    "additionalProperties": _additional_properties,
    "dependentRequired": _dependent_required,
    "multipleOf": _multiple_of,
    "required": _required,
    "uniqueItems": _unique_items,
}

WORDED = frozenset(("dependentRequired", "multipleOf", "required", "uniqueItems"))
"""Keywords whose findings come in the right words; so do those of `additionalProperties: false`."""
