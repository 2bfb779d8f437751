"""What a finding of the library says: the value that was found and what was expected, in our words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from configsvc.validation.keywords import WORDED
from configsvc.validation.shown import shown_list, shown_text, shown_value

Words = Callable[[Any, Any, Mapping[str, Any]], str]


def describe(error: ValidationError) -> str:
    """Return one sentence for a finding."""
    schema = error.schema if isinstance(error.schema, dict) else {}
    keyword = str(error.validator) if error.validator else ""
    words = _WORDS.get(keyword)
    if not keyword:
        message = f"{shown_value(error.instance)} is not allowed here"
    elif words is not None:
        message = words(error.instance, error.validator_value, schema)
    elif keyword in WORDED or (keyword == "additionalProperties" and error.validator_value is False):
        return error.message
    else:
        message = shown_text(error.message)
    return f"key {message}" if "propertyNames" in error.relative_schema_path else message


def explanation(error: ValidationError) -> str:
    """Return the schema's own words for a finding: `errorMessage`, else `description`; empty without."""
    schema = error.schema
    if not isinstance(schema, dict):
        return ""
    own = schema.get("errorMessage")
    if isinstance(own, dict):
        own = own.get(error.validator)
    for text in (own, schema.get("description")):
        if isinstance(text, str) and text.strip():
            return shown_text(text)
    return ""


def one_of_types(value: object, types: Iterable[str]) -> str:
    """Return the message for a value that is of none of some types."""
    return f"{shown_value(value)} is not of type {' or '.join(dict.fromkeys(types))}"


def type_names(types: object) -> list[str]:
    """Return the value of the keyword `type` as a list of names."""
    return [str(each) for each in types] if isinstance(types, list) else [str(types)]


def _minimum(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
    if schema.get("exclusiveMinimum") is True:  # draft-04
        return _not_above(value, limit, schema)
    return f"{shown_value(value)} is less than the minimum of {shown_value(limit)}"


def _maximum(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
    if schema.get("exclusiveMaximum") is True:  # draft-04
        return _not_below(value, limit, schema)
    return f"{shown_value(value)} is more than the maximum of {shown_value(limit)}"


def _not_above(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
    return f"{shown_value(value)} is not more than {shown_value(limit)}"


def _not_below(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
    return f"{shown_value(value)} is not less than {shown_value(limit)}"


def _characters(sign: str) -> Words:
    def words(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
        return f"{shown_value(value)} has {len(value)} characters (expected: {sign} {limit})"

    return words


def _size(sign: str) -> Words:
    def words(value: Any, limit: Any, schema: Mapping[str, Any]) -> str:
        return f"{shown_value(value)} (expected: {sign} {limit})"

    return words


def _ruled_out(value: Any, what: Any, schema: Mapping[str, Any]) -> str:
    return f"{shown_value(value)} is {'what the schema rules out' if what else 'not allowed here'}"


def _prefix(value: Any, allowed: Any, schema: Mapping[str, Any]) -> str:
    return f"{shown_value(value)} (expected: <= {len(schema.get('prefixItems', ()))})"


_WORDS: Mapping[str, Words] = {
    "const": lambda value, wanted, _: f"{shown_value(value)} is not {shown_value(wanted)}",
    "contains": lambda value, _, __: f"{shown_value(value)} has none that the schema asks for",
    "enum": lambda value, wanted, _: f"{shown_value(value)} is not one of {shown_list(wanted)}",
    "exclusiveMaximum": _not_below,
    "exclusiveMinimum": _not_above,
    "format": lambda value, name, _: f"{shown_value(value)} is not of format {shown_text(str(name))}",
    "items": _prefix,
    "maxItems": _size("<="),
    "maxLength": _characters("<="),
    "maxProperties": _size("<="),
    "maximum": _maximum,
    "minItems": _size(">="),
    "minLength": _characters(">="),
    "minProperties": _size(">="),
    "minimum": _minimum,
    "not": _ruled_out,
    "anyOf": lambda value, of, _: f"{shown_value(value)} matches none of {len(of)} alternatives",
    "oneOf": lambda value, of, _: (
        f"{shown_value(value)} does not match exactly one of {len(of)} alternatives"
    ),
    "pattern": lambda value, wanted, _: f"{shown_value(value)} does not match {shown_text(str(wanted))}",
    "type": lambda value, types, _: one_of_types(value, type_names(types)),
}
