"""Strict JSON (RFC 8259): text to value, and the text as it is stored.

Refused beyond what `json.loads` refuses: a byte order mark, duplicate keys, NaN
and Infinity, numbers that no double holds, lone surrogates, and any top level
but an object.
"""

from __future__ import annotations

import json
import math
import re

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.bounds import Bounds
from configsvc.documents.source import check_size, decode_source, fault, fault_at, shown_key
from configsvc.documents.tokens import check_shape, lay_out, pointer_at, walk

MAX_INTEGER_DIGITS = 4300
"""Python's own limit, here whatever the interpreter was started with: conversion is quadratic."""

MAX_LOCATED_CHARS = 1 << 20
"""In a longer text the place of a fault is not searched for."""
MAX_LOCATED_COMMAS = 100_000
"""Likewise in one of more commas."""

_NO_CONSTANT = "NaN or Infinity (expected: a number that JSON can write)"
_NUMBER = re.compile(r"-?[0-9]++(\.[0-9]+)?+([eE][-+]?[0-9]+)?+")
_KINDS: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
_SURROGATE_MESSAGE = "lone surrogate (expected: \\u escapes of UTF-16 in pairs)"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _Refused(ValueError):
    """A value that is JSON but not ours; `_find_refused` looks up where it stands."""


def parse_json(data: bytes, *, bounds: Bounds) -> dict[str, object]:
    """Return the object that a JSON text stands for.

    Raises:
        DocumentTooLarge: More bytes than `bounds.max_bytes`.
        DocumentInvalid: Not strict JSON, or a bound is broken; `details` holds
            the violation with line and column.
    """
    value = parse_any_json(data, bounds=bounds)
    if not isinstance(value, dict):
        raise fault(f"top level: {_kind(value)} (expected: an object)", line=1, column=1)
    return value


def parse_any_json(
    data: bytes, *, bounds: Bounds, too_many: type[DocumentInvalid] = DocumentInvalid
) -> object:
    """Return the value of a JSON text with any top level, such as a list; else as `parse_json`.

    Args:
        too_many: Raised for more nodes than `bounds.max_nodes`.
    """
    text = decode_source(data, bounds=bounds)
    check_shape(text, bounds=bounds, too_many=too_many)
    value = _load(text)
    if _SURROGATE.search(text) and not _is_text(value):
        _check_surrogates(text)
    return value


def format_json(data: bytes, *, bounds: Bounds) -> bytes:
    """Return a JSON text laid out as it is stored: two-space indent, final newline.

    The order of keys and the spelling of numbers and strings stay as they are.

    Args:
        data: A text that `parse_json` accepted; of any other the result is undefined.

    Raises:
        DocumentTooLarge: The result has more bytes than `bounds.max_bytes`.
    """
    formatted = lay_out(decode_source(data, bounds=bounds), bounds=bounds).encode()
    check_size(len(formatted), bounds=bounds)
    return formatted


def _load(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg}"
        pointer = "" if _is_long(text) else pointer_at(text, error.pos)
        raise fault_at(message, text, error.pos, pointer) from error
    except _Refused as error:
        raise _find_refused(text, str(error)) from error
    except RecursionError as error:  # max_depth was set beyond what the interpreter can do
        raise fault("depth: more than the interpreter can read") from error


def _find_refused(text: str, message: str) -> DocumentInvalid:
    """Return the error for the first value of `text` that a hook refused."""
    if _is_long(text):
        return fault(message)
    seen: list[set[object]] = []
    for place in walk(text):
        if place.token in ("{", "["):
            del seen[len(place.path) :]
            seen.append(set())
            continue
        if place.is_key:
            key = place.path[-1]
            problem = f"duplicate key {shown_key(str(key))}" if key in seen[len(place.path) - 1] else None
            seen[len(place.path) - 1].add(key)
        else:
            problem = _word_problem(place.token)
        if problem is not None:
            return fault_at(problem, text, place.offset, place.pointer)
    return fault(message)


def _is_long(text: str) -> bool:
    return len(text) > MAX_LOCATED_CHARS or text.count(",") > MAX_LOCATED_COMMAS


def _is_text(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_surrogates(text: str) -> None:
    if _is_long(text):
        raise fault(_SURROGATE_MESSAGE)
    for place in walk(text):
        if place.token.startswith('"') and _has_lone_surrogate(place.token):
            raise fault_at(_SURROGATE_MESSAGE, text, place.offset, place.pointer)


def _has_lone_surrogate(token: str) -> bool:
    if not _SURROGATE.search(token):
        return False
    try:
        json.loads(token).encode()
    except UnicodeEncodeError:
        return True
    return False


def _word_problem(token: str) -> str | None:
    if token.startswith(("NaN", "Infinity", "-Infinity")):
        return _NO_CONSTANT
    match = _NUMBER.match(token)
    if match is None:
        return None
    parse = _float if match[1] or match[2] else _integer
    try:
        parse(match[0])
    except _Refused as error:
        return str(error)
    return None


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("duplicate key")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        digits = len(text.lstrip("-"))
        raise _Refused(f"integer: {digits} digits (expected: <= {MAX_INTEGER_DIGITS})")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("number: beyond the range of a double (expected: magnitude < 1.8e308)")
    return number


def _constant(text: str) -> float:
    raise _Refused(_NO_CONSTANT)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
