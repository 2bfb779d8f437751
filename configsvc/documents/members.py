"""The members and items of a JSON text as texts, so that a part of it can be kept as it was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r,:]*")


def member_texts(text: str) -> dict[str, str]:
    """Return the members of a JSON object, each value spelled as in `text`.

    Args:
        text: An object that `parse_any_json` accepted.
    """
    parts = _parts(text)
    return {json.loads(key): value for key, value in zip(parts, parts, strict=True)}


def item_texts(text: str) -> list[str]:
    """Return the items of a JSON array, each spelled as in `text`.

    Args:
        text: An array that `parse_any_json` accepted.
    """
    return list(_parts(text))


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the outermost brackets: each value, and each key."""
    start = text.index("{" if text.lstrip(" \t\n\r").startswith("{") else "[") + 1
    while True:
        start = _end_of_space(text, start)
        if text[start] in "]}":
            return
        _, end = _DECODER.raw_decode(text, start)
        yield text[start:end]
        start = end


def _end_of_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return match.end() if match else start
