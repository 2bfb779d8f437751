"""Values and texts as findings show them: one line, printable, short."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice

MAX_VALUE_CHARS = 60
MAX_TEXT_CHARS = 300


def shown_value(value: object) -> str:
    """Return a value as JSON, at most `MAX_VALUE_CHARS` of it; of mappings and lists only the size."""
    if isinstance(value, dict):
        return f"an object of {_counted(len(value), 'key')}"
    if isinstance(value, list):
        return f"an array of {_counted(len(value), 'item')}"
    if isinstance(value, str):
        return _cut(_printable(json.dumps(value[: MAX_VALUE_CHARS + 1], ensure_ascii=False)), len(value))
    return _cut(json.dumps(value))


def shown_list(values: Iterable[object]) -> str:
    """Return values separated by commas, at most ten of them."""
    first = list(islice(values, 11))
    return ", ".join([*map(shown_value, first[:10]), *(["..."] if len(first) > 10 else [])])


def shown_text(text: str) -> str:
    """Return a text of a schema on one line, at most `MAX_TEXT_CHARS` of it."""
    line = _printable(" ".join(text[: 4 * MAX_TEXT_CHARS].split()))
    return line if len(line) <= MAX_TEXT_CHARS else line[:MAX_TEXT_CHARS] + "..."


def _cut(text: str, length: int = 0) -> str:
    is_whole = len(text) <= MAX_VALUE_CHARS and length <= MAX_VALUE_CHARS
    return text if is_whole else text[:MAX_VALUE_CHARS] + "..."


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _printable(text: str) -> str:
    """Return text without characters that are unseen or move others: they become escapes of JSON."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
