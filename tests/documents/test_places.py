from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import Format
from configsvc.documents.document import parse_document
from configsvc.documents.places import Found, Place, find_places
from tests.documents.cases import cases

JSON = b"""{
  "a": [1, {"b": null}, []],
  "c/d": {"e~f": "x"}, "": 1,
    "\\u00e9":{"2":true}
}
"""
YAML = """\
# top
---
base: &base
  x: 1
  "y/z": [1, 2]
one: *base
two:
  <<: *base
  x: 5
three: {<<: [*base, {w: 3}], v: }
list:
- - \u00e9 : a
    b: c
- &s text
- *s
block: |
  line
? long
: 2
empty:
""".encode()


@pytest.mark.parametrize(
    ("pointer", "value", "key"),
    [
        ("", (1, 1), None),
        ("/a", (2, 8), (2, 3)),
        ("/a/0", (2, 9), None),
        ("/a/1/b", (2, 18), (2, 13)),
        ("/a/2", (2, 25), None),
        ("/c~1d", (3, 10), (3, 3)),
        ("/c~1d/e~0f", (3, 18), (3, 11)),
        ("/", (3, 28), (3, 24)),
        ("/\u00e9/2", (4, 19), (4, 15)),
        ("/a/3", (2, 8), (2, 3)),
        ("/a/x", (2, 8), (2, 3)),
        ("/missing/deeper", (1, 1), None),
        ("/a/0/x", (2, 9), None),
    ],
)
def test_a_pointer_into_json_leads_to_line_and_column(
    pointer: str, value: tuple[int, int], key: tuple[int, int] | None
) -> None:
    assert find_places(JSON, Format.JSON).find(pointer) == (value, key)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("pointer", "value", "key"),
    [
        ("", (3, 1), None),
        ("/base", (3, 7), (3, 1)),
        ("/base/y~1z/1", (5, 14), None),
        ("/one", (6, 6), (6, 1)),
        ("/one/x", (6, 6), (6, 1)),  # an alias
        ("/one/y~1z/0", (6, 6), (6, 1)),
        ("/two/x", (9, 6), (9, 3)),
        ("/two/y~1z", (8, 7), (8, 3)),  # a merge
        ("/two/y~1z/1", (8, 7), (8, 3)),
        ("/three/x", (10, 14), (10, 9)),
        ("/three/w", (10, 25), (10, 22)),
        ("/three/v", (10, 33), (10, 30)),
        ("/list/0/0/\u00e9", (12, 9), (12, 5)),
        ("/list/0/0/b", (13, 8), (13, 5)),
        ("/list/1", (14, 3), None),
        ("/list/2", (15, 3), None),
        ("/block", (16, 8), (16, 1)),
        ("/long", (19, 3), (18, 3)),
        ("/empty", (20, 7), (20, 1)),
        ("/missing", (3, 1), None),
    ],
)
def test_a_pointer_into_yaml_leads_to_line_and_column(
    pointer: str, value: tuple[int, int], key: tuple[int, int] | None, line_end: bytes
) -> None:
    assert find_places(YAML.replace(b"\n", line_end), Format.YAML).find(pointer) == (value, key)


def test_keys_and_indexes_lead_to_the_same_place_as_their_pointer() -> None:
    places = find_places(JSON, Format.JSON)
    assert places.at(["a", 1, "b"]) == places.find("/a/1/b") == Found(Place(2, 18), Place(2, 13))


def test_what_is_no_pointer_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="pointer: 'a'"):
        find_places(JSON, Format.JSON).find("a")


def paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    yield path, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from paths(member, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


@pytest.mark.parametrize(
    "case", cases("positive", "yaml") + cases("positive", "json"), ids=lambda case: case.name
)
def test_every_value_of_every_corner_has_a_place_in_its_text(case: Path) -> None:
    data = case.read_bytes()
    format_ = Format(case.suffix[1:])
    places, lines = find_places(data, format_), data.decode().splitlines()
    for path, _ in paths(parse_document(data, format_)):
        (line, column), key = places.at(path)
        assert 1 <= line <= len(lines) + 1
        assert column >= 1
        assert key is None or key <= (line, column)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), st.sampled_from([None, 1]))
def test_at_the_place_of_a_json_value_its_text_begins(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    places, lines = find_places(text.encode(), Format.JSON), text.split("\n")
    for path, found in paths(value):
        (line, column), _ = places.at(path)
        decoded, _ = json.JSONDecoder().raw_decode("\n".join([lines[line - 1][column - 1 :], *lines[line:]]))
        assert decoded == found
