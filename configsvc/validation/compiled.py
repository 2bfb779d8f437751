"""A schema made ready to judge values, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote

from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource
from referencing.jsonschema import specification_with

from configsvc.core.reports import Violation
from configsvc.documents.source import json_pointer
from configsvc.validation.dialects import Dialect
from configsvc.validation.formats import FORMATS
from configsvc.validation.holding import held_schemas
from configsvc.validation.meta import meta_errors
from configsvc.validation.reasons import reasons
from configsvc.validation.recent import Recent
from configsvc.validation.references import Linked, LinkedFile, link
from configsvc.validation.schemas import Schema

MAX_META_VIOLATIONS = 100
"""Most findings about one file of a schema."""
MAX_QUICK_BYTES = 64 << 10
"""A schema of more bytes is judged by the workers only."""

# Names that nobody can have (RFC 6761), for the files of one schema among themselves.
_BASE = "https://schemas.invalid/"
_REGEX_KEYWORDS = ("pattern", "patternProperties")


class CompiledSchema(NamedTuple):
    """A schema made ready.

    Args:
        validator: Judges values; None when the schema cannot be used.
        violations: Why it cannot be used, without what the meta-schema says.
        is_slow: Whether one step of a judgement may take long, as a regular
            expression may: no limit but the end of a process stops it.
    """

    schema: Schema
    validator: Any | None
    violations: tuple[Violation, ...]
    is_slow: bool


def compile_schema(schema: Schema) -> CompiledSchema:
    """Return a schema made ready; what was made before is remembered by its id."""
    return _KNOWN.get(schema.schema_id, lambda: _compile(schema))


def check_schema(schema: Schema) -> list[Violation]:
    """Return all that is wrong with a schema, by our rules and by its meta-schema; empty when it can be used.

    What it takes is bounded by the size of the schema, except that regular
    expressions are compiled: schemas of strangers are checked by the workers.
    """
    linked = link(schema)
    violations = list(linked.violations)
    for file in linked.files.values():
        violations.extend(islice(_meta_violations(file, schema.folder), MAX_META_VIOLATIONS))
    return sorted(set(violations), key=lambda each: (each.path != schema.name, each.path, each.pointer))


def _compile(schema: Schema) -> CompiledSchema:
    linked = link(schema)
    is_slow = _is_slow(linked) or sum(map(len, schema.files.values())) > MAX_QUICK_BYTES
    if linked.violations:
        return CompiledSchema(schema, None, tuple(linked.violations), is_slow)
    for file in linked.files.values():
        _make_references_absolute(file, linked)
        _make_refusals_placed(file)
    dialect = linked.files[schema.path].dialect
    start = {"$ref": _BASE + schema.path}
    validator = dialect.judge(start, registry=_registry(linked, dialect), format_checker=FORMATS)
    return CompiledSchema(schema, validator, (), is_slow)


def _is_slow(linked: Linked) -> bool:
    return any(
        isinstance(place, dict)
        and (any(keyword in place for keyword in _REGEX_KEYWORDS) or place.get("format") == "regex")
        for file in linked.files.values()
        for place in file.places.values()
    )


def _make_references_absolute(file: LinkedFile, linked: Linked) -> None:
    """Rewrite every `$ref` to the place it was found to lead to, and take away what could change that."""
    for pointer, place in file.places.items():
        target = linked.targets.get((file.path, pointer))
        if isinstance(place, dict) and target is not None:
            place["$ref"] = f"{_BASE}{target[0]}#{quote(target[1], safe='/')}"
    for keyword in ("$schema", file.dialect.id_keyword):
        file.value.pop(keyword, None)


def _make_refusals_placed(file: LinkedFile) -> None:
    """Rewrite `false` below names and indexes: the library forgets where it met one."""
    for place in file.places.values():
        if not isinstance(place, dict):
            continue
        for keyword, *names in [held.path for held in held_schemas(place) if held.schema is False]:
            for name in names:
                place[keyword][name] = {"not": {}}


def _registry(linked: Linked, dialect: Dialect) -> Registry[Any]:
    specification = specification_with(dialect.meta.META_SCHEMA.get("$schema", ""))
    resources: list[tuple[str, Resource[Any]]] = [
        (_BASE + file.path, specification.create_resource(file.value)) for file in linked.files.values()
    ]
    return _NOTHING.with_resources(resources)


def _refuse(uri: str) -> NoReturn:
    """Retrieve nothing: without this the library would fetch what it does not know."""
    raise NoSuchResource(ref=uri)  # type: ignore[call-arg] # its attrs fields are hidden from mypy


def _meta_violations(file: LinkedFile, folder: str) -> Iterator[Violation]:
    for pointer, place in file.places.items():
        if isinstance(place, bool):  # whether one may be there, the schema around it tells
            continue
        for error in meta_errors(file.dialect, place):
            for reason, message in reasons(error):
                where = pointer + json_pointer(reason.absolute_path)
                yield Violation(f"{folder}/{file.path}", message, where)


_NOTHING: Registry[Any] = Registry(retrieve=_refuse)  # type: ignore[call-arg] # as above
_KNOWN: Recent[str, CompiledSchema] = Recent(256)
