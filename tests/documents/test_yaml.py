from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.documents import yaml as documents_yaml
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.documents.yaml import parse_yaml
from tests.documents.cases import beside, cases, parse
from tests.documents.refusals import yaml_refusal

MIB = 1 << 20
STRING_TAG = "tag:yaml.org,2002:str"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with each of PyYAML's two parsers."""
    name = str(request.param)
    if name == "python":
        monkeypatch.setattr(documents_yaml, "LOADER", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    return name


def read_or_refuse(data: bytes) -> dict[str, object] | DocumentInvalid:
    try:
        return parse_yaml(data, bounds=BOUNDS)
    except DocumentInvalid as error:
        return error


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("case", cases("positive", "yaml"), ids=lambda case: case.stem)
def test_a_document_is_read_as_its_file_says(case: Path) -> None:
    expected = json.loads(beside(case, ".value").read_text())
    value = parse(case)
    assert json.dumps(value) == json.dumps(expected)


@pytest.mark.parametrize("case", cases("negative", "yaml"), ids=lambda case: case.stem)
def test_what_is_not_our_yaml_is_refused_at_its_place(case: Path, loader: str) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        parse(case)
    (found,) = refused.value.details
    place, pointer, message = beside(case, ".expected").read_text().rstrip("\n").split(" ", 2)
    if loader == "python" and message.startswith("not YAML"):
        return  # each parser has its own idea of where a syntax error is
    assert f"{found['line']}:{found['column']}" == place
    assert (found["pointer"] or "-") == pointer
    assert str(found["message"]).startswith(message)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbfa: 1", "line 1, column 1: byte order mark"),
        (b"a: \xff", "line 1, column 4: byte 0xff (expected: UTF-8)"),
        ("a: 1".encode("utf-16"), "line 1, column 1: byte 0xff"),
        ("a: 1".encode("utf-16-be"), "line 1, column 1: character U+0000"),
        ("é: 1\né: ".encode() + b"\xe9", "line 2, column 4: byte 0xe9"),
    ],
)
def test_other_encodings_are_refused(data: bytes, message: str) -> None:
    assert yaml_refusal(data).startswith(message)


class QuotingDumper(yaml.SafeDumper):
    """Quotes every string: what PyYAML leaves plain is a string in YAML 1.1, not always in 1.2 (`0E0`)."""


QuotingDumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(STRING_TAG, text, style="'"))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(OBJECTS, st.booleans(), st.sampled_from([None, True, False]))
def test_yaml_of_a_value_parses_to_it(
    value: dict[str, object], allow_unicode: bool, flow: bool | None
) -> None:
    text = yaml.dump(value, Dumper=QuotingDumper, allow_unicode=allow_unicode, default_flow_style=flow)
    assert parse_yaml(text.encode(), bounds=BOUNDS) == value


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(OBJECTS)
def test_json_of_a_value_parses_to_it(value: dict[str, object]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if all(character.isprintable() or character == "\n" for character in text):
        assert parse_yaml(text.encode(), bounds=BOUNDS) == value


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                ": ",
                "- ",
                "\n",
                "  ",
                "[",
                "]",
                "{",
                "}",
                ",",
                "&a ",
                "*a",
                "<<: ",
                "!x ",
                '"',
                "'",
                "# ",
                "|\n",
                "? ",
                "---\n",
                "é",
                "1",
                "~",
            ]
        ),
        max_size=25,
    )
)
def test_any_text_is_read_or_refused(parts: list[str]) -> None:
    outcome = read_or_refuse("".join(parts).encode())
    if isinstance(outcome, DocumentInvalid):
        assert len(outcome.details) == 1
    else:
        assert json.dumps(outcome, allow_nan=False)


def test_aliases_share_what_they_name() -> None:
    value = parse_yaml(b"a: &a [1]\nb: *a\n", bounds=BOUNDS)
    assert value["a"] is value["b"]


def test_the_bounds_hold_exactly() -> None:
    assert parse_yaml(b"{a: " * 63 + b"{}" + b"}" * 63, bounds=BOUNDS)
    assert "depth: 65 (expected: <= 64)" in yaml_refusal(b"{a: " * 64 + b"{}" + b"}" * 64)
    five = b"a: [1, 2]"  # the mapping, the key, the list, two numbers
    assert parse_yaml(five, bounds=replace(BOUNDS, max_nodes=5))
    assert "nodes: 5 (expected: <= 4)" in yaml_refusal(five, max_nodes=4)
    with pytest.raises(DocumentTooLarge, match=r"size: 9 bytes \(expected: <= 8\)"):
        parse_yaml(five, bounds=replace(BOUNDS, max_bytes=8))


def test_depth_nodes_and_bytes_are_counted_through_aliases() -> None:
    deep = b"a: &a [[x]]\nb: [[*a]]\n"
    assert parse_yaml(deep, bounds=replace(BOUNDS, max_depth=5))
    assert "line 2, column 6: depth: 5 (expected: <= 4)" in yaml_refusal(deep, max_depth=4)
    many = b"a: &a [x, y]\nb: [*a, *a]\n"  # 1 + (1 + 3) + (1 + 1 + 3 + 3)
    assert parse_yaml(many, bounds=replace(BOUNDS, max_nodes=13))
    assert "nodes: 13 (expected: <= 12)" in yaml_refusal(many, max_nodes=12)
    large = "a: &a éé\nb: [*a, *a]\n".encode()  # two keys, three times four bytes
    assert parse_yaml(large, bounds=replace(BOUNDS, max_expanded_bytes=14))
    assert "bytes through aliases: 14 (expected: <= 13)" in yaml_refusal(large, max_expanded_bytes=13)


def test_a_merge_counts_as_what_it_brings() -> None:
    text = b"a: &a {x: 1, y: 2}\nb: {<<: [*a, *a]}\n"  # 1 + (1 + 5) + (1 + 1 + 1 + 1 + 5 + 5)
    assert parse_yaml(text, bounds=replace(BOUNDS, max_nodes=21))["b"] == {"x": 1, "y": 2}
    assert "nodes: 21 (expected: <= 20)" in yaml_refusal(text, max_nodes=20)


@pytest.mark.parametrize("text", ["7" * 4301, "0x" + "f" * 3600, "0o" + "7" * 4800, "-" + "7" * 5000])
def test_integers_that_json_could_not_write_are_refused(text: str) -> None:
    assert "integer" in yaml_refusal(f"a: {text}".encode())


@pytest.mark.parametrize("text", ["7" * 4300, "0x" + "f" * 3500, "0o" + "7" * 4700])
def test_long_integers_can_be_written_as_json(text: str) -> None:
    assert json.dumps(parse_yaml(f"a: {text}".encode(), bounds=BOUNDS))
