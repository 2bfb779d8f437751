"""YAML texts made to cost time or memory, and odd ones that are legal."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import pytest
import yaml

from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.documents.yaml import parse_yaml
from tests.documents.refusals import yaml_refusal

MIB = 1 << 20


def _filled(unit: str, before: str = "", after: str = "") -> bytes:
    return (before + unit * ((MIB - len(before) - len(after)) // len(unit)) + after).encode()


def _numbered(unit: str, before: str = "", after: str = "") -> bytes:
    count = (MIB - len(before) - len(after)) // len(unit.format(99_999))
    return (before + "".join(unit.format(i) for i in range(count)) + after).encode()


def _chain(unit: str, first: str = "a0: &a0 {k: 1}\n") -> bytes:
    return (first + "".join(unit.format(i, i - 1) for i in range(1, 10_000))).encode()


TOO_DEEP = "depth: 65|depth: more than 64"
"""The scanner of libyaml >= 0.2.6 stops before the first event comes."""

REFUSED = {
    "40,000 lists": (b"[" * 40_000, TOO_DEEP),
    "500,000 lists": (b"[" * 500_000, TOO_DEEP),
    "lists on lines": (b"[\n" * 500_000, "depth: 65"),
    "40,000 mappings": (b"{" * 40_000, f"{TOO_DEEP}|key: a mapping"),
    "500,000 mappings": (b"{" * 500_000, f"{TOO_DEEP}|key: a mapping"),
    "nested mappings": (b"{a: " * 250_000, "depth: 65"),
    "40,000 dashes": (b"- " * 40_000, "depth: 65"),
    "500,000 dashes": (b"- " * 500_000, "depth: 65"),
    "question marks": (b"? " * 500_000, "key: a mapping"),
    "indentation": ("".join(" " * i + "a:\n" for i in range(1400)).encode(), "depth: 65"),
    "billion laughs": (
        _chain("a{0}: &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n"),
        "nodes: ",
    ),
    "a long scalar 99,999 times": (
        b"a: &a " + b"x" * 500_000 + b"\nb: [" + b"*a," * 99_999 + b"]",
        "bytes through",
    ),
    "chain of aliases": (_chain("a{0}: &a{0} [*a{1}]\n"), "depth: 65"),
    "chain of merges": (_chain("a{0}: &a{0} {{<<: *a{1}, k{0}: 1}}\n"), "depth: 65"),
    "doubled merges": (_chain("a{0}: &a{0} {{<<: [*a{1}, *a{1}]}}\n"), "nodes: "),
    "large merges": (
        (
            "a: &a {" + "".join(f"k{i}: 1, " for i in range(1000)) + "}\nb: {<<: [" + "*a," * 9000 + "]}"
        ).encode(),
        "nodes: ",
    ),
    "tag directives": (_numbered("%TAG !a{0}! x\n", "", "---\na: 1"), "%TAG"),
    "tag directives, old line ends": (_numbered("%TAG !a{0}! x\r", "", "---\ra: 1"), "%TAG"),
    "late tag directives": (_numbered("%TAG !a{0}! x\n", "a: 1\n...\n", "---\na: 1"), "%TAG"),
    "documents": (_filled("---\n"), "documents"),
    "long tag": (_filled("x", "a: !", " 1\n"), "tag "),
    "long alias": (_filled("x", "a: *"), "alias "),
    "list items": (_filled("- 1\n", "a:\n"), "nodes: 100001"),
    "keys": (_numbered("{0:06}x:\n"), "nodes: 100001"),
    "long simple key": (_filled("x", "", ": 1\n"), "not YAML"),
    "quotes": (_filled('"'), "not YAML"),
    "digits": (_filled("1", "a: "), "integer"),
    "unended quote": (_filled("x\n ", 'a: "'), "not YAML"),
}
ACCEPTED = {
    "anchors in brackets": _numbered("&a{0:06} 1,", "a: [", "]")[: MIB // 2] + b"]",
    "long anchor": _filled("x", "a: &", " 1\n"),
    "long explicit key": _filled("x", "? ", "\n: 1\n"),
    "keys of 1,000 characters": _numbered("x" * 1000 + "{0:04}: 1\n"),
    "comments": _filled("#\n", "", "a: 1\n"),
    "blank lines": _filled("\n", "", "a: 1\n"),
    "plain lines": _filled("x\n ", "a: ", "\n"),
    "blank lines in plain text": _filled("\n", "a: x", " y\n"),
    "quoted lines": _filled("x\n ", "a: '", "'\n"),
    "escapes": _filled("\\x41", 'a: "', '"\n'),
    "literal lines": _filled(" x\n", "a: |\n"),
    "folded lines": _filled(" x\n", "a: >\n"),
    "blank literal lines": _filled("\n", "a: |\n", " x\n"),
    "words in deep brackets": _filled("a ", "a: [" + "[" * 50, "]" * 51),
    "merges of one mapping": b"a: &a {k: 1}\nb: {<<: [" + b"*a," * 24_000 + b"]}\n",
    "number of dots": _filled("1.", "a: "),
}


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_hostile_text_is_refused_in_little_time(data: bytes, message: str) -> None:
    assert len(data) <= MIB
    begin = time.process_time()
    found = yaml_refusal(data)
    assert any(each in found for each in message.split("|")), found
    assert time.process_time() - begin < 2.0


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="the parser in Python is ten times slower")
@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_odd_but_legal_text_is_read_in_little_time(data: bytes) -> None:
    assert len(data) <= MIB
    begin = time.process_time()
    assert parse_yaml(data, bounds=BOUNDS)
    assert time.process_time() - begin < 2.0


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "name",
    ["500,000 lists", "500,000 dashes", "billion laughs", "a long scalar 99,999 times", "doubled merges"],
)
def test_a_bomb_is_refused_in_milliseconds_and_little_memory(name: str) -> None:
    data, _ = REFUSED[name]
    times = []
    for _ in range(3):
        begin = time.process_time()
        yaml_refusal(data)
        times.append(time.process_time() - begin)
    assert min(times) < 0.5  # memory is traced meanwhile, which costs most of it
    assert tracemalloc.get_traced_memory()[1] < 30 * MIB
