"""The flattened meta-schemas say what the library says with the whole ones."""

from __future__ import annotations

import time

import pytest

from configsvc.validation.compiled import check_schema
from configsvc.validation.dialects import DIALECTS
from configsvc.validation.formats import FORMATS
from configsvc.validation.workers import TIME_LIMIT_S
from tests.validation.schema_files import schema

VALUES: list[object] = [
    True,
    None,
    0,
    1,
    -1,
    2.5,
    "",
    "#",
    "(",
    "string",
    "http://example.com/",
    [],
    [[]],
    [0, 0],
    ["a", "a"],
    ["string", "null"],
    [{}],
    [True],
    [{"minimum": "x"}],
    {},
    {"a": 0},
    {"a": []},
    {"a": ["b"]},
    {"a": ["b", "b"]},
    {"a": [3]},
    {"a": True},
    {"a": {}},
    {"(": {}},
    {"a": {"minimum": "x"}},
    {"minimum": "x"},
    {"properties": {"a": {"maxLength": -1}}},
]
# Refused by rules of our own, whatever they hold.
OURS = {"$ref", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$schema", "id", "$id"}
KEYWORDS = sorted(
    {
        *(keyword for dialect in DIALECTS.values() for keyword in dialect.judge.VALIDATORS),
        *("title", "description", "default", "examples", "readOnly", "definitions", "$defs", "$comment"),
        *("$anchor", "$vocabulary", "contentSchema", "contentEncoding", "deprecated", "minContains", "then"),
    }
    - OURS
)


@pytest.mark.slow
@pytest.mark.parametrize("draft", DIALECTS)
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_keyword_is_refused_with_the_values_that_the_whole_meta_schema_refuses(
    keyword: str, draft: str
) -> None:
    meta = DIALECTS[draft].meta
    whole = meta(meta.META_SCHEMA, format_checker=FORMATS)
    # A keyword that a draft does not know may hold anything there; what looks like a schema is one to us.
    is_known = keyword in meta.VALIDATORS or keyword in meta.META_SCHEMA["properties"]
    for value in VALUES:
        made = {"$schema": draft, keyword: value}
        is_refused = check_schema(schema(made)) != []
        if is_known or not whole.is_valid(made):
            assert is_refused is not whole.is_valid(made), value


@pytest.mark.parametrize("draft", DIALECTS)
def test_what_is_wrong_further_in_is_found_where_it_is(draft: str) -> None:
    made = {"$schema": draft, "properties": {"a/b": {"allOf": [{"not": {"maxLength": -1}}]}}}
    (found,) = check_schema(schema(made))
    assert (found.pointer, found.message) == (
        "/properties/a~1b/allOf/0/not/maxLength",
        "-1 is less than the minimum of 0",
    )


@pytest.mark.parametrize("draft", DIALECTS)
def test_the_usual_booleans_are_schemas_in_every_draft(draft: str) -> None:
    made = {"$schema": draft, "additionalProperties": False, "properties": {"a": {"additionalItems": True}}}
    assert check_schema(schema(made)) == []


@pytest.mark.slow
def test_a_schema_of_thousands_of_schemas_is_checked_in_less_than_the_limit_of_a_worker() -> None:
    properties = {f"k{number}": {"type": "string", "minLength": 1} for number in range(1500)}
    began_s = time.process_time()
    assert check_schema(schema({"properties": properties})) == []
    assert time.process_time() - began_s < TIME_LIMIT_S
