"""The drafts of JSON Schema that schemas may be written in, and where a schema holds other schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
)

from configsvc.validation.keywords import judging_class


class Dialect(NamedTuple):
    """One draft.

    Args:
        name: As messages show it.
        meta: Judges schemas; its rules are the draft's meta-schema.
        judge: Class that judges values, with keywords of our own.
        id_keyword: What names a schema.
    """

    name: str
    meta: Any
    judge: Any
    id_keyword: str = "$id"


def _dialect(name: str, validator: Any, id_keyword: str = "$id") -> Dialect:
    return Dialect(name, validator, judging_class(validator), id_keyword)


DEFAULT_DIALECT = _dialect("2020-12", Draft202012Validator)

DIALECTS: Mapping[str, Dialect] = {
    "https://json-schema.org/draft/2020-12/schema": DEFAULT_DIALECT,
    "https://json-schema.org/draft/2019-09/schema": _dialect("2019-09", Draft201909Validator),
    "http://json-schema.org/draft-07/schema": _dialect("draft-07", Draft7Validator),
    "http://json-schema.org/draft-06/schema": _dialect("draft-06", Draft6Validator),
    "http://json-schema.org/draft-04/schema": _dialect("draft-04", Draft4Validator, "id"),
}
"""Dialects by what `$schema` says, without a final `#`."""

# Values of these are judged at the same place of the value as the schema that holds them.
_IN_PLACE_ONE = frozenset(("not", "if", "then", "else"))
_IN_PLACE_MANY = frozenset(("allOf", "anyOf", "oneOf"))
_IN_PLACE_NAMED = frozenset(("dependentSchemas", "dependencies"))
_DEEPER_ONE = frozenset(
    (
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "items",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
_DEEPER_MANY = frozenset(("items", "prefixItems"))
_DEEPER_NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions"))


class Held(NamedTuple):
    """A schema in another one.

    Args:
        path: Keyword, and the name or index below it.
        schema: A mapping, or a boolean.
        is_in_place: Whether it judges the very value that the outer one judges.
    """

    path: tuple[str | int, ...]
    schema: object
    is_in_place: bool


def find_dialect(schema: Mapping[str, object]) -> Dialect | None:
    """Return the dialect that a file is written in, None when it names one that is not known."""
    name = schema.get("$schema")
    if name is None:
        return DEFAULT_DIALECT
    return DIALECTS.get(name.removesuffix("#")) if isinstance(name, str) else None


def held_schemas(schema: Mapping[str, object]) -> Iterator[Held]:
    """Yield the schemas that stand directly in `schema`."""
    for keyword, value in schema.items():
        in_place = keyword in _IN_PLACE_ONE or keyword in _IN_PLACE_MANY or keyword in _IN_PLACE_NAMED
        for path, held in _values(keyword, value):
            if isinstance(held, dict | bool):
                yield Held((keyword, *path), held, in_place)


def _values(keyword: str, value: object) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, list) and (keyword in _IN_PLACE_MANY or keyword in _DEEPER_MANY):
        for index, held in enumerate(value):
            yield (index,), held
    elif isinstance(value, dict) and (keyword in _IN_PLACE_NAMED or keyword in _DEEPER_NAMED):
        for name, held in value.items():
            yield (name,), held
    elif keyword in _IN_PLACE_ONE or keyword in _DEEPER_ONE:
        yield (), value
