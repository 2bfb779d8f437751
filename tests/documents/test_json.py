from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.documents.json import (
    MAX_LOCATED_CHARS,
    MAX_LOCATED_COMMAS,
    format_json,
    parse_any_json,
    parse_json,
)
from configsvc.documents.tokens import pointer_at
from tests.documents.cases import beside, cases, parse
from tests.documents.refusals import json_refusal

MIB = 1 << 20
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


def read_or_refuse(data: bytes) -> dict[str, object] | DocumentInvalid:
    try:
        return parse_json(data, bounds=BOUNDS)
    except DocumentInvalid as error:
        return error


@pytest.mark.parametrize("case", cases("positive", "json"), ids=lambda case: case.stem)
def test_a_document_is_read_and_laid_out_as_its_file_says(case: Path) -> None:
    data = case.read_bytes()
    stored = beside(case, ".stored").read_bytes()
    assert parse(case) == json.loads(data)
    assert format_json(data, bounds=BOUNDS) == stored
    assert format_json(stored, bounds=BOUNDS) == stored
    assert parse_json(stored, bounds=BOUNDS) == json.loads(data)


@pytest.mark.parametrize("case", cases("negative", "json"), ids=lambda case: case.stem)
def test_what_is_not_strict_json_is_refused_at_its_place(case: Path) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        parse(case)
    (found,) = refused.value.details
    place, pointer, message = beside(case, ".expected").read_text().rstrip("\n").split(" ", 2)
    assert f"{found['line']}:{found['column']}" == place
    assert (found["pointer"] or "-") == pointer
    assert str(found["message"]).startswith(message)
    assert str(found["message"]) in refused.value.message


@pytest.mark.parametrize("text", ['{"a": [1, 2,]}', '{"a": 1,}', '{"a": {"b": 1,},}'])
def test_a_trailing_comma_is_refused(text: str) -> None:
    assert "line 1, column" in json_refusal(text.encode())


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "line 1, column 1", "byte order mark"),
        (b'{"a": "\xff"}', "line 1, column 8", "byte 0xff (expected: UTF-8)"),
        ('{"é": 1,\n "é'.encode() + b'\xc0\xaf"}', "line 2, column 4", "byte 0xc0"),
        (b'{"a": "\xed\xa0\x80"}', "line 1, column 8", "byte 0xed"),
        ('{"a": 1}'.encode("utf-16"), "line 1, column 1", "byte 0xff"),
        ('{"a": 1}'.encode("utf-16-le"), "line 1, column 2", "not JSON"),
        (b'{"a": "\xe9"}', "line 1, column 8", "byte 0xe9"),
        (b'{"a\x00": 1}', "line 1, column 4", "not JSON"),
    ],
)
def test_other_encodings_are_refused_at_the_first_wrong_byte(data: bytes, place: str, message: str) -> None:
    assert json_refusal(data).startswith(f"{place}: {message}")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(OBJECTS, st.sampled_from([None, 0, 1, 4]), st.booleans())
def test_layout_keeps_the_value_and_is_done_once(
    value: dict[str, object], indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    stored = format_json(data, bounds=BOUNDS)
    assert parse_json(stored, bounds=BOUNDS) == parse_json(data, bounds=BOUNDS) == value
    assert format_json(stored, bounds=BOUNDS) == stored
    assert stored.decode() == json.dumps(value, indent=2, ensure_ascii=ascii_only) + "\n"


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(OBJECTS, st.data())
def test_a_broken_text_is_refused_and_never_crashes(value: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=False)
    position = data.draw(st.integers(0, len(text) - 1))
    inserted = data.draw(st.sampled_from(["", "{", "]", '"', ",", ":", "\\", "NaN", "1e999", "\x00", "-"]))
    broken = (text[:position] + inserted + text[position + 1 :]).encode()
    try:
        expected = json.loads(broken)
    except ValueError:
        expected = None
    outcome = read_or_refuse(broken)
    if isinstance(outcome, DocumentInvalid):
        (found,) = outcome.details
        assert json.dumps(found, ensure_ascii=False).encode()
    else:
        assert outcome == expected


@pytest.mark.parametrize("data", [b"", b"]", b"}}}}", b'{"a"', b"[,", b'"', b"::,,", b'{"a": [}'])
def test_layout_of_what_is_no_json_does_not_crash(data: bytes) -> None:
    assert isinstance(format_json(data, bounds=BOUNDS), bytes)


def test_the_bounds_hold_exactly() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

    assert parse_json(nested(64), bounds=BOUNDS)
    assert "depth: 65 (expected: <= 64)" in json_refusal(nested(65))
    five = b'{"a": [1, 2]}'  # the object, the key, the list, two numbers
    assert parse_json(five, bounds=replace(BOUNDS, max_nodes=5))
    assert "nodes: 5 (expected: <= 4)" in json_refusal(five, max_nodes=4)
    assert parse_json(five, bounds=replace(BOUNDS, max_bytes=len(five)))
    assert "size: 13 bytes (expected: <= 12)" in json_refusal(five, max_bytes=len(five) - 1)


def test_brackets_and_commas_in_strings_count_for_nothing() -> None:
    value = {"a": "[{,:" * 100, "b": '\\"[' * 100}
    assert parse_json(json.dumps(value).encode(), bounds=replace(BOUNDS, max_depth=1, max_nodes=5)) == value


def test_a_text_over_its_bound_is_too_large_before_and_after_layout() -> None:
    data = b'{"a":[1,2]}'
    with pytest.raises(DocumentTooLarge):
        parse_json(data, bounds=replace(BOUNDS, max_bytes=10))
    assert parse_json(data, bounds=replace(BOUNDS, max_bytes=11))
    assert len(format_json(data, bounds=replace(BOUNDS, max_bytes=30))) == 30
    with pytest.raises(DocumentTooLarge) as refused:
        format_json(data, bounds=replace(BOUNDS, max_bytes=29))
    assert refused.value.details == ({"pointer": "", "message": "size: 30 bytes (expected: <= 29)"},)


def test_layout_that_grows_beyond_its_bound_stops_early() -> None:
    data = b'{"a":' * 60 + b"[" + b"[1]," * 20_000 + b"1]" + b"}" * 60
    tracemalloc.start()
    with pytest.raises(DocumentTooLarge, match="once indented"):
        format_json(data, bounds=BOUNDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MIB


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
def test_integers_have_as_many_digits_as_python_can_write_again(digits: int) -> None:
    data = b'{"a": [1, ' + b"7" * digits + b"]}"
    if digits <= 4300:
        assert json.loads(json.dumps(parse_json(data, bounds=BOUNDS))) == json.loads(data)
    else:
        assert json_refusal(data) == f"line 1, column 11: integer: {digits} digits (expected: <= 4300)"


def test_what_a_refusal_says_can_always_be_encoded() -> None:
    message = json_refusal(b'{"\\ud800": {"a": NaN}}')
    assert message.encode()


def test_a_pointer_is_told_as_far_as_the_text_is_json() -> None:
    text = '{"a": [0, {"b": 1, "c": x'
    assert pointer_at(text, len(text) - 1) == "/a/1/c"
    assert pointer_at(text, text.index('"c"')) == "/a/1"
    assert pointer_at(text, 0) == ""
    assert pointer_at("{1: 2, ]]]", 9) == ""


@pytest.mark.parametrize("text", ["[]", '[{"op": "remove", "path": "/a"}]', "1", '"x"', "null", "{}"])
def test_a_patch_may_have_any_top_level(text: str) -> None:
    assert parse_any_json(text.encode(), bounds=BOUNDS) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["", "[1,]", "[NaN]", '[{"a": 1, "a": 2}]', "[" * 65 + "]" * 65, '["\\ud800"]']
)
def test_any_top_level_is_read_as_strictly(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse_any_json(text.encode(), bounds=BOUNDS)


@pytest.mark.parametrize(
    ("fault", "message"),
    [(b'"\\ud800"', "lone surrogate"), (b'{"b":1,"b":2}', "duplicate key"), (b"NaN", "NaN or Infinity")],
)
@pytest.mark.parametrize(
    ("filler", "is_long"),
    [(b" " * MAX_LOCATED_CHARS, True), (b"0," * MAX_LOCATED_COMMAS, True), (b" ", False)],
)
def test_the_place_of_a_fault_in_a_very_long_text_is_not_searched_for(
    fault: bytes, message: str, filler: bytes, is_long: bool
) -> None:
    with pytest.raises(DocumentInvalid, match=message) as caught:
        parse_json(
            b'{"a":[' + filler + fault + b",0]}", bounds=replace(BOUNDS, max_bytes=4 << 20, max_nodes=200_000)
        )
    assert ("line" in caught.value.details[0]) is not is_long


def test_a_bracket_in_a_text_is_no_depth() -> None:
    texts = ["[" * 100, '"' + "{" * 100, "]" * 100, "\\"]
    assert parse_json(json.dumps({"a": texts}).encode(), bounds=replace(BOUNDS, max_depth=2))
    with pytest.raises(DocumentInvalid, match="depth: 3"):
        parse_json(json.dumps({"a": [*texts, []]}).encode(), bounds=replace(BOUNDS, max_depth=2))
