"""Whether a value conforms is what the library says, for any schema and value that are not about numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator

from configsvc.validation.compiled import check_schema
from configsvc.validation.dialects import DIALECTS
from configsvc.validation.judge import judge_value
from tests.validation.schema_files import schema

KEYS = st.sampled_from("abc")
SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, "", "a", "ab"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
SMALL = st.integers(0, 3)
TYPES = st.sampled_from(["array", "boolean", "integer", "null", "number", "object", "string"])
LIBRARY = {
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
}


def objects(inner: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    some = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(KEYS, inner, max_size=2)
    keywords: dict[str, st.SearchStrategy[object]] = {
        "type": TYPES,
        "enum": st.lists(VALUES, min_size=1, max_size=3, unique_by=repr),
        "const": VALUES,
        "minLength": SMALL,
        "maxItems": SMALL,
        "uniqueItems": st.booleans(),
        "required": st.lists(KEYS, max_size=2, unique=True),
        "properties": named,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b|c"]), inner, max_size=2),
        "additionalProperties": inner,
        "dependentRequired": st.dictionaries(KEYS, st.lists(KEYS, max_size=2, unique=True), max_size=2),
        "dependentSchemas": named,
        "propertyNames": inner,
        "items": inner,
        "contains": inner,
        "anyOf": some,
        "allOf": some,
        "oneOf": some,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "unevaluatedProperties": inner,
    }
    return st.fixed_dictionaries({}, optional=keywords)


SCHEMAS = objects(st.recursive(st.booleans(), objects, max_leaves=6))


@pytest.mark.thorough
@pytest.mark.slow
@given(made=SCHEMAS, prefix=st.lists(st.booleans(), min_size=1, max_size=2) | st.none(), value=VALUES)
def test_a_value_has_violations_exactly_when_the_library_finds_some(
    made: dict[str, object], prefix: list[bool] | None, value: object
) -> None:
    for draft, library in LIBRARY.items():
        whole = {"$schema": draft, **made, **({"prefixItems": prefix} if prefix else {})}
        judged_by = schema(whole)
        assert check_schema(judged_by) == []
        assert (judge_value(value, [judged_by]) == []) is library(whole).is_valid(value)


def test_the_drafts_compared_are_drafts_there_are() -> None:
    assert set(LIBRARY) < set(DIALECTS)
