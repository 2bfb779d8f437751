"""The drafts of JSON Schema that schemas may be written in."""

from __future__ import annotations

from collections.abc import Mapping
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


def find_dialect(schema: Mapping[str, object]) -> Dialect | None:
    """Return the dialect that a file is written in, None when it names one that is not known."""
    name = schema.get("$schema")
    if name is None:
        return DEFAULT_DIALECT
    return DIALECTS.get(name.removesuffix("#")) if isinstance(name, str) else None
