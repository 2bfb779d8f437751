"""Cursors: where the next page of a list begins, in a form that no client builds on.

A cursor holds the last key of the page before, so it stays right while writes go on: what is
listed after that key is listed once, whatever came or went before it.
"""

from __future__ import annotations

import base64
import binascii
import json

from configsvc.core.errors import RequestInvalid

_FORM = 1
"""Changes when a cursor's content does; an old one is then refused instead of misread."""
_MAX_CHARS = 512


def make_cursor(kind: str, key: str | int) -> str:
    """Return a cursor to what comes after `key` in lists of `kind`."""
    text = json.dumps([_FORM, kind, key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_name(kind: str, cursor: str | None) -> str:
    """Return the key of a cursor to names; empty for the start of the list.

    Raises:
        RequestInvalid: It is none that `make_cursor` made for lists of `kind`.
    """
    key = "" if cursor is None else _key(kind, cursor)
    if not isinstance(key, str):
        raise _refused(cursor)
    return key


def read_number(kind: str, cursor: str | None, start: int) -> int:
    """Return the key of a cursor to numbers; `start` for the start of the list.

    Raises:
        RequestInvalid: It is none that `make_cursor` made for lists of `kind`.
    """
    key = start if cursor is None else _key(kind, cursor)
    if not isinstance(key, int) or isinstance(key, bool) or key < 0:
        raise _refused(cursor)
    return key


def _key(kind: str, cursor: str) -> object:
    try:
        if len(cursor) > _MAX_CHARS:
            raise _refused(cursor)
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        form, found_kind, key = found
        is_ours = isinstance(key, str | int) and make_cursor(kind, key) == cursor
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise _refused(cursor) from None
    if not is_ours or (form, found_kind) != (_FORM, kind):
        raise _refused(cursor)
    return key


def _refused(cursor: str | None) -> RequestInvalid:
    return RequestInvalid(f"cursor: {str(cursor)[:40]!a} (expected: next_cursor of a page of this list)")
