from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from configsvc.core.reports import Violation
from configsvc.validation.compiled import check_schema
from configsvc.validation.judge import MAX_VIOLATIONS, judge_value
from configsvc.validation.schemas import MAX_FILES, SCHEMA_BOUNDS, Schema, find_schema
from tests.validation.schema_files import case_names, nested, read_case, schema, source


def schema_of(case: Mapping[str, Any]) -> Schema:
    """Return the schema of a case with the other files it has."""
    files = {"web.json": case["schema"], **case.get("files", {})}
    found = find_schema("web.json", source(files))
    assert found is not None
    return found


@pytest.mark.parametrize("name", case_names("violations"))
def test_a_value_gets_exactly_the_violations_of_the_case(name: str) -> None:
    case: dict[str, Any] = read_case("violations", name)
    judged_by = schema_of(case)
    assert check_schema(judged_by) == []
    found = judge_value(case["value"], [judged_by])
    assert [[each.pointer, each.message] for each in found] == case["violations"]


@pytest.mark.parametrize("name", case_names("refused"))
def test_a_schema_of_the_case_is_refused_with_its_place_and_reason(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("a schema was fetched")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    case: dict[str, Any] = read_case("refused", name)
    found = check_schema(schema_of(case))
    assert [case["pointer"] == each.pointer and case["message"] in each.message for each in found].count(
        True
    ) == 1, found


@pytest.mark.parametrize("name", case_names("refused"))
def test_a_value_judged_by_a_refused_schema_does_not_conform_or_is_not_changed_by_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a schema was fetched"))
    case: dict[str, Any] = read_case("refused", name)
    found = judge_value({"a": "x", "b": 1}, [schema_of(case)])
    assert all(each.path.startswith("schemas/") for each in found)


def test_every_finding_about_a_broken_schema_is_told_at_once() -> None:
    found = check_schema(schema({"type": "int", "properties": {"a": {"minimum": "x", "$ref": "http://a/"}}}))
    assert [each.pointer for each in found] == ["/properties/a/$ref", "/properties/a/minimum", "/type"]
    assert {each.path for each in found} == {"schemas/web.json"}


@pytest.mark.parametrize("text", [b"", b"[]", b"true", b'{"a":1,"a":2}', b"{" * 100, b"\xff"])
def test_a_file_that_is_no_json_object_is_no_schema(text: bytes) -> None:
    (found,) = check_schema(schema(text))
    assert found.message.startswith("not a schema: ")
    assert judge_value({}, [schema(text)]) == [found]


def test_a_file_over_its_bounds_is_no_schema() -> None:
    text = json.dumps({"description": "x" * SCHEMA_BOUNDS.max_bytes}).encode()
    (found,) = check_schema(schema(text))
    assert "size" in found.message
    (found,) = check_schema(schema({"enum": list(range(SCHEMA_BOUNDS.max_nodes))}))
    assert "nodes" in found.message


@pytest.mark.slow
def test_a_schema_under_a_name_of_any_length_takes_no_more_memory_than_its_file() -> None:
    inner: dict[str, object] = {f"k{number}": {} for number in range(5000)}
    (found,) = check_schema(schema({"properties": {"x" * 100_000: {"properties": inner}}}))
    assert found.message.startswith("pointer: 100012 characters (expected: <= 1000)")


def test_a_schema_of_too_many_files_is_refused() -> None:
    chained = {f"t{number}": {"$ref": f"t{number + 1}.json"} for number in range(100)}
    (found,) = check_schema(schema({"$ref": "t0.json"}, **chained))
    assert found.message.startswith(f"files: more than {MAX_FILES}")


def test_a_value_is_judged_by_all_schemas_and_findings_are_sorted_by_place() -> None:
    first = schema({"properties": {"b": {"type": "string"}}})
    second = find_schema(
        "_default.json", source({"_default.json": {"properties": {"a": {"type": "string"}}}})
    )
    assert second is not None
    found = judge_value({"a": 1, "b": 1}, [first, second])
    assert [(each.pointer, each.message) for each in found] == [
        ("/a", "1 is not of type string (schema schemas/_default.json)"),
        ("/b", "1 is not of type string (schema schemas/web.json)"),
    ]


def test_line_and_column_come_from_the_places() -> None:
    places = {"/a": (3, 7)}.get
    found = judge_value({"a": 1, "b": 1}, [schema({"additionalProperties": False})], places=places)
    assert [(each.line, each.column) for each in found] == [(3, 7), (0, 0)]


def test_violations_beyond_the_limit_are_counted_as_more() -> None:
    judged_by = schema({"properties": {"a": {"items": {"type": "string"}}}})
    exact = judge_value({"a": list(range(MAX_VIOLATIONS))}, [judged_by])
    more = judge_value({"a": list(range(MAX_VIOLATIONS + 500))}, [judged_by])
    assert len(exact) == MAX_VIOLATIONS
    assert more == [*exact, Violation("", f"more than {MAX_VIOLATIONS} violations (the rest is not told)")]


def test_the_same_finding_by_two_ways_is_told_once() -> None:
    rule = {"properties": {"a": {"type": "string"}}}
    assert len(judge_value({"a": 1}, [schema({"allOf": [rule, rule]})])) == 1


def test_25_violations_are_25_findings_each_with_its_own_pointer() -> None:
    judged_by = schema({"additionalProperties": {"properties": {"port": {"type": "integer"}}}})
    value = {f"s{number:02}": {"port": "x"} for number in range(25)}
    assert [each.pointer for each in judge_value(value, [judged_by])] == [
        f"/s{number:02}/port" for number in range(25)
    ]


def test_a_tree_as_deep_as_documents_may_be_is_judged() -> None:
    judged_by = schema({"properties": {"next": {"$ref": "#"}}, "additionalProperties": False})
    assert judge_value(nested(64), [judged_by]) == []


@pytest.mark.parametrize(
    ("draft", "name"),
    [
        ("https://json-schema.org/draft/2020-12/schema", "$defs"),
        ("https://json-schema.org/draft/2019-09/schema#", "$defs"),
        ("http://json-schema.org/draft-07/schema#", "definitions"),
        ("http://json-schema.org/draft-06/schema", "definitions"),
        ("http://json-schema.org/draft-04/schema#", "definitions"),
    ],
)
def test_every_draft_is_judged_with_its_definitions(draft: str, name: str) -> None:
    judged_by = schema(
        {
            "$schema": draft,
            name: {"port/~ %": {"type": "integer"}},
            "properties": {"port": {"$ref": f"#/{name}/port~1~0%20%25"}, "next": {"$ref": "#"}},
        }
    )
    assert check_schema(judged_by) == []
    found = judge_value({"port": "x", "next": {"port": 1}}, [judged_by])
    assert [each.pointer for each in found] == ["/port"]


@pytest.mark.parametrize("divisor", [1e308, 5e-324, 1e-300, 10**4000, 3])
@pytest.mark.parametrize("value", [10**4000 + 1, 1e308, 5e-324, 0, -7])
def test_a_huge_or_tiny_divisor_is_no_trouble(divisor: float, value: float) -> None:
    found = judge_value({"a": value}, [schema({"properties": {"a": {"multipleOf": divisor}}})])
    assert all("is not a multiple of" in each.message for each in found)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-02-29T23:59:60.5Z", "2024-02-29 23:59:59Z"),
        ("email", "ops@example.com", "ops"),
        ("hostname", "a-b.example.com", "-a.example.com"),
        ("ipv4", "127.0.0.1", "127.0.0.01"),
        ("ipv6", "::1", "::1%eth0"),
        ("regex", "^a+$", "("),
        ("time", "10:00:00+01:00", "10:00:00"),
        ("uri", "https://example.com/a?b#c", "example.com"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
    ],
)
def test_a_format_tells_good_from_bad_and_says_nothing_about_other_types(
    name: str, good: str, bad: str
) -> None:
    judged_by = schema({"additionalProperties": {"format": name}})
    found = judge_value({"good": good, "number": 1, "bad": bad}, [judged_by])
    assert [each.pointer for each in found] == ["/bad"]
