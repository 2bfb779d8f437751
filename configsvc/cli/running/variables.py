"""A document as environment variables, by rules that a shell can be written for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from configsvc.core.errors import RequestInvalid

_NOT_OF_A_NAME = re.compile(r"[^A-Z0-9_]")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)


def variables(value: Mapping[str, object], prefix: str) -> dict[str, str]:
    """Return the variables for a document.

    A key is written in capitals, with `_` for each character that is none of A-Z 0-9 _, and after the keys
    that it stands in, with `_` between them: `limits: {cpu: 1}` is `LIMITS_CPU`.  Text is as it is; numbers,
    true and false are as in JSON; null is empty; a list, or a mapping without keys, is JSON on one line.

    Args:
        prefix: Stands before each name.

    Raises:
        RequestInvalid: Two keys come to one name, a name is none of a variable, or a text has a NUL in it.
    """
    made: dict[str, str] = {}
    keys: dict[str, str] = {}
    for path, each in _leaves(value, ()):
        key = ".".join(path)
        name = prefix + _NOT_OF_A_NAME.sub("_", "_".join(path).upper())
        if not _NAME.fullmatch(name):
            raise RequestInvalid(
                f"key: {key[:80]!a} is no name of a variable (expected: --prefix with a letter)"
            )
        if name in made:
            raise RequestInvalid(
                f"key: {key[:80]!a} and {keys[name][:80]!a} are both {name} (expected: one of them)"
            )
        made[name], keys[name] = _text(key, each), key
    return made


def as_file(made: Mapping[str, str]) -> str:
    """Return variables as lines that a POSIX shell reads: `NAME='value'`."""
    return "".join(f"{name}={_quoted(text)}\n" for name, text in made.items())


def _leaves(value: Mapping[str, object], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, each in value.items():
        if isinstance(each, Mapping) and each:
            yield from _leaves(each, (*path, key))
        else:
            yield (*path, key), each


def _text(key: str, value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "\0" in text:
        raise RequestInvalid(f"key: {key[:80]!a} has a NUL in its text (expected: none in a variable)")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
