"""Judge a value by schemas: every violation, where it is, and why.

`judge_value` works in the thread that calls it and takes as long as it takes;
`configsvc.validation.verdicts` is what bounds that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from jsonschema.exceptions import UnknownType, ValidationError
from referencing.exceptions import Unresolvable

from configsvc.core.reports import Violation
from configsvc.documents.source import json_pointer
from configsvc.validation.compiled import compile_schema
from configsvc.validation.messages import explanation
from configsvc.validation.placing import Places, placed
from configsvc.validation.reasons import reasons
from configsvc.validation.schemas import Schema

MAX_VIOLATIONS = 1000
"""Most violations that are told of one document."""

# Only a schema that its meta-schema would refuse leads to one of these; whoever judges by it must not fall.
_NOT_APPLICABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    UnknownType,
    Unresolvable,
    ValueError,
    re.error,
)

_Found = tuple[tuple[tuple[int, int, str], ...], Violation]


def judge_value(value: object, schemas: Iterable[Schema], *, places: Places | None = None) -> list[Violation]:
    """Return all violations of a value, sorted by where they are; empty when it conforms.

    Each has the pointer, what was found and what was expected, and in brackets
    the schema with its own words.  Of an `anyOf` or `oneOf` the reasons of the
    alternative that fits best are told.  `path` is empty, except for what is
    wrong with a schema itself.

    Args:
        schemas: All that govern the value; one that cannot be used is a violation.
        places: Looks up lines and columns.

    Raises:
        RecursionError: A value is nested too deep for its schema.
    """
    found: list[_Found] = []
    for schema in schemas:
        compiled = compile_schema(schema)
        found.extend(((), violation) for violation in compiled.violations)
        if compiled.validator is not None:
            found.extend(
                islice(_violations(compiled.validator.iter_errors(value), schema), MAX_VIOLATIONS + 1)
            )
    found.sort(key=lambda each: each[0])
    return placed(_cut(violation for _, violation in found), places)


def _cut(violations: Iterable[Violation]) -> list[Violation]:
    told = list(dict.fromkeys(violations))
    if len(told) <= MAX_VIOLATIONS:
        return told
    rest = Violation("", f"more than {MAX_VIOLATIONS} violations (the rest is not told)")
    return [*told[:MAX_VIOLATIONS], rest]


def _violations(errors: Iterator[ValidationError], schema: Schema) -> Iterator[_Found]:
    """Yield the violations of one schema with their sort keys."""
    try:
        for error in errors:
            for reason, message in reasons(error):
                path = list(reason.absolute_path)
                own = explanation(reason) or (explanation(error) if reason is not error else "")
                where = f"schema {schema.name}: {own}" if own else f"schema {schema.name}"
                yield tuple(map(_order, path)), Violation("", f"{message} ({where})", json_pointer(path))
    except _NOT_APPLICABLE as error:
        problem = (
            f"cannot be applied: {type(error).__name__} (expected: a schema that its meta-schema accepts)"
        )
        yield (), Violation(schema.name, problem)


def _order(part: str | int) -> tuple[int, int, str]:
    return (0, part, "") if isinstance(part, int) else (1, 0, part)
