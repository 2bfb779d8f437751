"""Texts in which places are hard to find."""

from __future__ import annotations

import time

import pytest
import yaml

from configsvc.core.names import Format
from configsvc.documents.document import parse_document
from configsvc.documents.places import find_places

pytestmark = pytest.mark.thorough

MIB = 1 << 20
HOSTILE = {
    "keys": ("{" + ",".join(f'"k{i}": 1' for i in range(49_000)) + "}", Format.JSON),
    "nested": ('{"a":' * 63 + "{}" + "}" * 63, Format.JSON),
    "items": ('{"a":[' + "1," * 99_000 + "1]}", Format.JSON),
    "lines": ("\n" * (MIB - 10) + '{"a": 1}', Format.JSON),
    "yaml keys": ("".join(f"k{i}: 1\n" for i in range(49_000)), Format.YAML),
    "yaml merges": ("a: &a {k: 1}\nb: {<<: [" + "*a," * 24_000 + "]}\n", Format.YAML),
    "yaml aliases": ("a: &a [1, 2, 3]\nb: [" + "*a," * 24_000 + "]\n", Format.YAML),
}


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="the parser in Python is ten times slower")
@pytest.mark.parametrize(("text", "format_"), HOSTILE.values(), ids=HOSTILE.keys())
def test_the_places_of_a_hostile_text_are_found_in_little_time(text: str, format_: Format) -> None:
    data = text.encode()
    assert parse_document(data, format_)
    begin = time.process_time()
    places = find_places(data, format_)
    for number in range(5000):
        places.find(f"/k{number}")
        places.find("/b/k")
    assert time.process_time() - begin < 4.0
