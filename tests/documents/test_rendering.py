from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.names import Format
from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.documents.document import Value, fingerprint, parse_document
from configsvc.documents.json import parse_any_json
from configsvc.documents.members import item_texts, member_texts
from configsvc.documents.rendering import render_value

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=15,
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=5)


@pytest.mark.parametrize("format_", Format)
@given(value=DOCUMENTS)
@settings(max_examples=200, deadline=None)
def test_a_value_reads_back_from_either_format(format_: Format, value: Value) -> None:
    text = render_value(value, format_)
    assert text.endswith(b"\n")
    assert fingerprint(parse_document(text, format_)) == fingerprint(value)


def test_the_parts_of_a_text_keep_their_spelling() -> None:
    text = ' { "a" : 1.0, "b\\u0041":[1e2 , {"x":  "}]"}],"c":{ }, "d":"" }\n'
    assert parse_any_json(text.encode(), bounds=DEFAULT_BOUNDS)
    members = member_texts(text)
    assert members == {"a": "1.0", "bA": '[1e2 , {"x":  "}]"}]', "c": "{ }", "d": '""'}
    assert item_texts(members["bA"]) == ["1e2", '{"x":  "}]"}']
    assert member_texts("{}") == {}
    assert item_texts(" [ ] ") == []


@given(DOCUMENTS, st.sampled_from([None, 1, 3]))
@settings(max_examples=100, deadline=None)
def test_the_parts_of_a_text_are_those_of_its_value(value: Value, indent: int | None) -> None:
    parts = member_texts(json.dumps(value, indent=indent))
    assert {key: json.loads(part) for key, part in parts.items()} == value
    items = list(value.values())
    assert [json.loads(part) for part in item_texts(json.dumps(items, indent=indent))] == items
