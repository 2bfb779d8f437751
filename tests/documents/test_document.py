from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import Format
from configsvc.documents.document import fingerprint, parse_document, read_document

VALUES = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.booleans(), max_size=4)


def test_json_is_stored_laid_out_and_yaml_byte_for_byte() -> None:
    document = read_document(b'{"b":1,"a":[]}', Format.JSON)
    assert document.data == b'{\n  "b": 1,\n  "a": []\n}\n'
    assert document.value == {"b": 1, "a": []}
    text = b"# why\r\nb:   1\r\na: [ ]"
    assert read_document(text, Format.YAML).data == text
    assert read_document(text, Format.YAML).value == {"b": 1, "a": []}


@pytest.mark.parametrize("format_", Format)
def test_what_was_stored_parses_again(format_: Format) -> None:
    document = read_document(b'{"a": {"b": [1, "x"]}}', format_)
    assert parse_document(document.data, format_) == document.value
    assert read_document(document.data, format_) == document


@pytest.mark.parametrize("format_", Format)
def test_text_of_no_format_is_refused(format_: Format) -> None:
    with pytest.raises(DocumentInvalid):
        read_document(b"{", format_)


@settings(max_examples=50)
@given(VALUES)
def test_the_order_of_keys_does_not_change_a_fingerprint(value: dict[str, object]) -> None:
    assert fingerprint(dict(reversed(value.items()))) == fingerprint(json.loads(json.dumps(value)))


def test_equal_numbers_of_different_kinds_have_different_fingerprints() -> None:
    values: list[object] = [1, 1.0, True, "1", None, [1], {"1": 1}, 0, False, -0.0, 0.0]
    assert len({fingerprint({"a": value}) for value in values}) == len(values)


def test_a_document_has_one_fingerprint_in_both_formats() -> None:
    as_json = parse_document(b'{"a": {"x": 1}, "b": {"x": 1}}', Format.JSON)
    as_yaml = parse_document(b"b: &b {x: 0x1}\na: *b\n", Format.YAML)
    assert fingerprint(as_json) == fingerprint(as_yaml)
