"""What a plain YAML scalar stands for: the core schema of YAML 1.2 (section 10.3.2), and nothing of 1.1.

`yes`, `on`, `12:30`, `0b1`, `1_000` and `2024-01-01` are strings here.
"""

from __future__ import annotations

import math
import re

MAX_INTEGER_DIGITS = 4300
"""As in JSON: every integer has to be written in decimals there."""

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_START = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]++(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)


def read_plain(text: str) -> Scalar:
    """Return the value of an unquoted scalar.

    Raises:
        ValueError: A number that JSON cannot write; the message says why.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _DECIMAL.fullmatch(text):
        return _integer(text, 10)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _HEXADECIMAL.fullmatch(text):
        return _integer(text, 16)
    if _OCTAL.fullmatch(text):
        return _integer(text, 8)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("infinity or not-a-number (expected: a finite number; quote it if it is text)")
    return text


def _integer(text: str, base: int) -> int:
    if len(text) > MAX_INTEGER_DIGITS * math.log(10, base):
        raise ValueError(f"integer: {len(text)} characters (expected: <= {MAX_INTEGER_DIGITS} decimals)")
    return int(text, 10 if base == 10 else 0)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("number: beyond the range of a double (expected: magnitude < 1.8e308)")
    return number
