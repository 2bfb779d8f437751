"""A document as environment variables, by rules that a shell can be written for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from configsvc.core.errors import RequestInvalid

_NOT_OF_A_NAME = re.compile(r"[^A-Z0-9_]")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)

MAX_STRING_BYTES = (128 << 10) - 1
"""Most that one variable may have, `NAME=value` (execve(2): MAX_ARG_STRLEN)."""
MAX_TOTAL_BYTES = 6 << 20
"""Most that arguments and variables may have together, however large the stack may grow (execve(2))."""
_POINTER_BYTES = 8
_SPARE_BYTES = 4096  # for the program's path, and the line that names its interpreter


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
        if not is_name(name):
            raise RequestInvalid(
                f"key: {key[:80]!a} is no name of a variable (expected: --prefix with a letter)"
            )
        if name in made:
            raise RequestInvalid(
                f"key: {key[:80]!a} and {keys[name][:80]!a} are both {name} (expected: one of them)"
            )
        made[name], keys[name] = _text(key, each), key
    return made


def is_name(text: str) -> bool:
    """Return whether a variable may be called `text`."""
    return _NAME.fullmatch(text) is not None


def check_size(command: Sequence[str], environ: Mapping[bytes, bytes]) -> None:
    """Pass when a program can be started with these arguments and variables.

    Raises:
        RequestInvalid: A variable, or all together, are more than the system lets a program have.
    """
    total = sum(len(os.fsencode(each)) + 1 + _POINTER_BYTES for each in command)
    for name, text in environ.items():
        size = len(name) + 1 + len(text)
        if size > MAX_STRING_BYTES:
            raise RequestInvalid(
                f"variable: {os.fsdecode(name)[:80]} has {size} bytes "
                f"(expected: <= {MAX_STRING_BYTES}; --file has room for more)"
            )
        total += size + 1 + _POINTER_BYTES
    most = min(os.sysconf("SC_ARG_MAX"), MAX_TOTAL_BYTES) - _SPARE_BYTES
    if total > most:
        raise RequestInvalid(
            f"variables: {total} bytes with those of this process "
            f"(expected: <= {most}; --file has room for more)"
        )


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
