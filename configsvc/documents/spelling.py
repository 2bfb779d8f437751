"""How a new value is written into a YAML text: scalars, lines of a block, brackets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from configsvc.documents.scalars import read_plain

MAX_SIMPLE_KEY = 500
"""A longer key is written after `? `: YAML wants the colon within 1,024 characters."""

_WORDS_ELSEWHERE = frozenset(("y", "n", "yes", "no", "on", "off"))  # booleans in YAML 1.1
_NUMBER_ELSEWHERE = re.compile(r"[-+.0-9][-+.:_0-9a-fA-FxXoOeETtZz ]*")  # times, dates, 0b1, 1_000
_NOT_PLAIN = re.compile(r":(?=\s|\Z)|(?<=\s)#|\s\Z")
_FLOW_ONLY = re.compile(r"[\[\]{},:\"'?]")
# What is not printable, rather than all else: that takes 40 ms of each start to compile.
_ODD = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
_NOT_PRINTABLE = re.compile(f"[{_ODD}]")
_ESCAPED = re.compile(f'[{_ODD}"\\\\]')
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def spell_scalar(value: object, style: str = "", *, in_flow: bool = False) -> str:
    """Return a scalar on one line.

    Args:
        style: Quotes that a string should have when it can: `'`, `"` or none.
        in_flow: It will stand between brackets.
    """
    if isinstance(value, str):
        return _spell_string(value, style, in_flow=in_flow)
    text = json.dumps(value)
    # YAML 1.1 takes 1e+16 for a string
    return text.replace("e", ".0e") if isinstance(value, float) and "e" in text and "." not in text else text


def spell_flow(value: object) -> str:
    """Return any value on one line, in brackets."""
    if isinstance(value, dict):
        members = (f"{spell_scalar(key, in_flow=True)}: {spell_flow(each)}" for key, each in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spell_flow, value)) + "]"
    return spell_scalar(value, in_flow=True)


def is_block(value: object) -> bool:
    """Return whether `value` is written on lines of its own."""
    return bool(value) and isinstance(value, dict | list)


def literal_header(text: str) -> str | None:
    """Return `|` or `|-` where `text` can be a literal block, None where it cannot."""
    lines = text.removesuffix("\n").split("\n")
    if not lines[0] or lines[0][0] in " \t" or not lines[-1].strip(" "):
        return None
    if any(_NOT_PRINTABLE.search(line) or (line and not line.strip(" ")) for line in lines):
        return None
    return "|" if text.endswith("\n") else "|-"


@dataclass(frozen=True, slots=True)
class Layout:
    """How far a text indents, in columns.

    Args:
        step: Of a mapping below its key.
        dash: Of the dashes of a list below its key.
        has_literals: Text of several lines becomes a literal block.
    """

    step: int = 2
    dash: int = 2
    has_literals: bool = True

    def lines(self, value: object, column: int) -> list[str]:
        """Return the lines of a mapping or list that is not empty, at `column`."""
        if isinstance(value, dict):
            return [line for key, each in value.items() for line in self.member(key, each, column)]
        assert isinstance(value, list)
        return [line for each in value for line in self.item(each, column)]

    def member(self, key: str, value: object, column: int) -> list[str]:
        """Return the lines of one pair of a mapping at `column`."""
        spelled = spell_scalar(key)
        if len(spelled) <= MAX_SIMPLE_KEY:
            return list(self._after(" " * column + spelled + ":", value, column))
        return [" " * column + "? " + spelled, *self._after(" " * column + ":", value, column)]

    def item(self, value: object, column: int) -> list[str]:
        """Return the lines of one item of a list whose dashes are at `column`."""
        head = " " * column + "-"
        if not is_block(value):
            return list(self._after(head, value, column))
        first, *more = self.lines(value, column + 2)
        return [f"{head} {first[column + 2 :]}", *more]

    def below(self, value: object, column: int) -> list[str]:
        """Return the lines of what stands below a key at `column`."""
        return self.lines(value, column + (self.dash if isinstance(value, list) else self.step))

    def header(self, value: object) -> str | None:
        """Return how a literal block for `value` begins; None where it becomes none."""
        is_long = self.has_literals and isinstance(value, str) and "\n" in value
        return literal_header(str(value)) if is_long else None

    def _after(self, head: str, value: object, column: int) -> Iterator[str]:
        if is_block(value):
            yield head
            yield from self.below(value, column)
            return
        header = self.header(value)
        if header is None:
            yield f"{head} {spell_scalar(value)}"
            return
        yield f"{head} {header}"
        yield from block_lines(str(value), column + self.step)


def block_lines(text: str, column: int) -> list[str]:
    """Return the content of a literal block at `column`."""
    return [line and " " * column + line for line in text.removesuffix("\n").split("\n")]


def _spell_string(text: str, style: str, *, in_flow: bool) -> str:
    is_printable = _NOT_PRINTABLE.search(text) is None
    if style == "'" and is_printable:
        return "'" + text.replace("'", "''") + "'"
    if style == "" and is_printable and _is_plain(text) and not (in_flow and _FLOW_ONLY.search(text)):
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _is_plain(text: str) -> bool:
    if not (text[:1].isalnum() or text[:1] in ("_", "/")) or _NOT_PLAIN.search(text):
        return False
    if text.lower() in _WORDS_ELSEWHERE or _NUMBER_ELSEWHERE.fullmatch(text):
        return False
    try:
        return read_plain(text) == text
    except ValueError:
        return False


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
