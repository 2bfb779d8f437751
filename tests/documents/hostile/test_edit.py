"""Texts made to cost time when they are edited."""

from __future__ import annotations

import time

import pytest
import yaml

from configsvc.core.names import Format
from configsvc.documents.document import parse_document
from configsvc.documents.edit import MAX_EDIT_BYTES, edit_document

pytestmark = pytest.mark.thorough


def _filled(unit: str, before: str = "", after: str = "") -> bytes:
    return (before + unit * ((MAX_EDIT_BYTES - len(before) - len(after)) // len(unit)) + after).encode()


def _numbered(unit: str, before: str = "", after: str = "") -> bytes:
    count = (MAX_EDIT_BYTES - len(before) - len(after)) // len(unit.format(99_999))
    return (before + "".join(unit.format(i) for i in range(count)) + after).encode()


HOSTILE = {
    "anchors in brackets": _numbered("&a{0:06} 1,", "a: [", "]"),
    "long anchor": _filled("x", "a: &", " 1\n"),
    "comments": _filled("#\n", "", "a: 1\n"),
    "comments between items": _filled("  # c\n  - 1\n", "a:\n"),
    "spaces": _filled(" ", "a: 1", "\n"),
    "blank lines": _filled("\n", "a: x", " y\n"),
    "literal lines": _filled(" x\n", "a: |\n"),
    "deep lists": ("a: " + "[" * 60 + "1," * 40_000 + "1" + "]" * 60).encode(),
    "keys": _numbered("k{0:06}: 1\n"),
    "keys in brackets": _numbered("k{0:06}: 1,", "{", "}"),
    "items": _filled("- 1\n", "a:\n"),
    "empty items": _filled("-\n", "a:\n"),
    "aliases": b"a: &a [[[1, 2, 3]]]\nb: [" + b"*a," * 9000 + b"]\n",
    "merges": b"a: &a {k: 1}\nb: {<<: [" + b"*a," * 24_000 + b"]}\n",
}


def _everything_changed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _everything_changed(each) for key, each in value.items()} | {"new": 1}
    if isinstance(value, list):
        return [7, *map(_everything_changed, value[1::2]), 8]
    return 9


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="the parser in Python is ten times slower")
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_is_edited_in_little_time(data: bytes) -> None:
    value = parse_document(data, Format.YAML)
    new = _everything_changed(value)
    assert isinstance(new, dict)
    begin = time.process_time()
    edit_document(data, Format.YAML, new)
    assert time.process_time() - begin < 5.0
