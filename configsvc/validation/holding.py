"""Where a schema holds other schemas, whatever the draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

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
