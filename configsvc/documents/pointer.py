"""JSON pointers (RFC 6901): text to steps, and steps through a value."""

from __future__ import annotations

import re

from configsvc.core.errors import DocumentInvalid, PatchFailed, RequestInvalid, ValueNotFound
from configsvc.documents.source import shown_key

Pointer = tuple[str, ...]
"""The steps of a pointer, unescaped; empty for the whole document."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")


def parse_pointer(text: object) -> Pointer:
    """Return the steps of a pointer.

    Raises:
        DocumentInvalid: Not a pointer.
    """
    if not isinstance(text, str):
        raise DocumentInvalid("pointer: is no string (expected: a JSON pointer, such as /a/0)")
    if text and not text.startswith("/"):
        raise DocumentInvalid(f"pointer: {shown_key(text)} (expected: empty, or a / at its start)")
    if _BAD_ESCAPE.search(text):
        raise DocumentInvalid(f"pointer: {shown_key(text)} (expected: ~ only as ~0 or ~1)")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])


def step_into(container: object, step: str) -> object:
    """Return the member or item of `container` that `step` names.

    Raises:
        PatchFailed: There is none.
    """
    if isinstance(container, dict):
        if step in container:
            return container[step]
    elif isinstance(container, list):
        return container[item_index(container, step, len(container) - 1)]
    raise PatchFailed(f"pointer: nothing at {shown_key(step)} (expected: something that exists)")


def value_at(value: object, pointer: str) -> object:
    """Return what a pointer that somebody asks for leads to.

    Raises:
        RequestInvalid: It is no pointer.
        ValueNotFound: It leads nowhere.
    """
    found = value
    try:
        for step in parse_pointer(pointer):
            found = step_into(found, step)
    except DocumentInvalid as error:
        raise RequestInvalid(error.message) from error
    except PatchFailed as error:
        raise ValueNotFound(error.message) from error
    return found


def item_index(items: list[object], step: str, last: int) -> int:
    """Return the index that `step` is, from 0 to `last`.

    Raises:
        PatchFailed: Not an index, or beyond `last`.
    """
    index = int(step) if _INDEX.fullmatch(step) else last + 1
    if index > last:
        raise PatchFailed(f"pointer: {shown_key(step)} in a list of {len(items)} (expected: an index in it)")
    return index
