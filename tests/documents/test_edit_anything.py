"""Any text can be made to say any value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import Format
from configsvc.documents.document import fingerprint, parse_document, read_document
from configsvc.documents.patch import merge_patch
from tests.documents.cases import cases
from tests.documents.editing import Value, edited

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(["yes", "12:30", "0x1", "- x", "a: b", "x #y", "two\nlines\n", "\n", " x", "<<", "~"])
)
KEYS = st.sampled_from(["a", "b", "c", "key with spaces", "yes", "1", "<<", "", "x: y"]) | st.text(
    st.characters(codec="utf-8"), max_size=4
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


def written(value: Value, flow: bool | None, indent: int) -> bytes:
    """Return `value` as YAML with a comment on top."""
    text = yaml.safe_dump(value, default_flow_style=flow, indent=indent, sort_keys=False, allow_unicode=True)
    return ("# top\n" + text).encode()


def safe(data: bytes, value: Value) -> bool:
    """Return whether PyYAML wrote what we read: it leaves some strings plain that are numbers in YAML 1.2."""
    try:
        return fingerprint(parse_document(data, Format.YAML)) == fingerprint(value)
    except DocumentInvalid:
        return False


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(OBJECTS, OBJECTS, st.sampled_from([None, True, False]), st.integers(2, 4))
def test_any_text_can_be_made_to_say_any_value(
    old: Value, new: Value, flow: bool | None, indent: int
) -> None:
    data = written(old, flow, indent)
    if safe(data, old):
        edited(data, new)
        edited(data, old | new)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(OBJECTS, VALUES, st.data())
def test_members_that_do_not_change_keep_their_lines(old: Value, member: object, data: st.DataObject) -> None:
    text = written(old, False, 2)
    if not old or not safe(text, old):
        return
    key = data.draw(st.sampled_from(list(old)))
    after = edited(text, old | {key: member})
    for other, value in old.items():
        if other != key:
            lines = yaml.safe_dump({other: value}, indent=2, sort_keys=False, allow_unicode=True)
            assert lines in after


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(OBJECTS, OBJECTS)
def test_any_json_can_be_made_to_say_any_value(old: Value, new: Value) -> None:
    edited(json.dumps(old), new, Format.JSON)
    mixed = edited(json.dumps(old), old | new, Format.JSON)
    assert [key for key in json.loads(mixed) if key in old] == list(old)
    if fingerprint(old | new) != fingerprint(old):
        assert mixed.encode() == read_document(mixed.encode(), Format.JSON).data


@pytest.mark.slow
@pytest.mark.parametrize("case", cases("positive", "yaml"), ids=lambda case: case.stem)
@settings(max_examples=5, deadline=None)
@given(patch=OBJECTS, data=st.data())
def test_a_text_with_every_corner_of_yaml_can_be_edited(
    case: Path, patch: Value, data: st.DataObject
) -> None:
    value = parse_document(case.read_bytes(), Format.YAML)
    edited(case.read_bytes(), merge_patch(value, patch))
    key = data.draw(st.sampled_from([*value, ""]))
    edited(case.read_bytes(), {name: each for name, each in value.items() if name != key})
