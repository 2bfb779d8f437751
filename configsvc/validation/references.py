"""The files of one schema, read and linked: which `$ref` leads where, and what may not be in a schema.

Everything that a judgement can reach is walked here, so what is refused here
cannot be met later: references to other places than files of the same source,
dynamic references, schemas that never come to an end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from configsvc.core.errors import DocumentInvalid
from configsvc.core.reports import Violation
from configsvc.documents.json import parse_json
from configsvc.validation.dialects import DIALECTS, Dialect, find_dialect
from configsvc.validation.holding import held_schemas
from configsvc.validation.schemas import SCHEMA_BOUNDS, Schema, exceeded, split_reference
from configsvc.validation.shown import shown_value

MAX_EXPANDED = 10_000
"""Most schemas that may have to be tried for one value, every `$ref` followed."""
MAX_CHAIN = 64
"""Most schemas inside one another that judge the same value."""

MAX_POINTER_CHARS = 1000
"""Longest JSON pointer of a schema in its file."""

_DYNAMIC = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor")
_LOCAL = "a file of the same folder by relative path, and #/$defs/NAME"

Place = tuple[str, str]
"""A schema: file, and JSON pointer in it."""


@dataclass
class LinkedFile:
    """One file.

    Args:
        places: Every schema in it by JSON pointer.
        in_place: By pointer, the schemas in a schema that judge the same value.
        anchors: Pointer by `$anchor`.
    """

    path: str
    value: dict[str, object]
    dialect: Dialect
    places: dict[str, object] = field(default_factory=dict)
    in_place: dict[str, list[str]] = field(default_factory=dict)
    anchors: dict[str, str] = field(default_factory=dict)


@dataclass
class Linked:
    """A schema's files, linked.

    Args:
        targets: Where the `$ref` of a place leads.
        violations: Why this schema cannot be used; empty when it can.
    """

    files: dict[str, LinkedFile] = field(default_factory=dict)
    targets: dict[Place, Place] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


def link(schema: Schema) -> Linked:
    """Return the files of a schema, linked, with all that is wrong but what the meta-schema says."""
    linked = Linked()
    problem = exceeded(schema.files)
    if problem is not None:
        linked.violations.append(Violation(schema.name, problem))
        return linked
    for path, data in schema.files.items():
        linked.violations.extend(_read(linked, f"{schema.folder}/{path}", path, data))
    for file in linked.files.values():
        linked.violations.extend(_follow(linked, file, schema))
    if not linked.violations:
        linked.violations.extend(_endless(linked, schema))
    return linked


def _read(linked: Linked, name: str, path: str, data: bytes) -> Iterator[Violation]:
    """Add a file to `linked`; yield why that is not possible."""
    try:
        value = parse_json(data, bounds=SCHEMA_BOUNDS)
    except DocumentInvalid as error:
        yield Violation(name, f"not a schema: {error.message}")
        return
    dialect = find_dialect(value)
    if dialect is None:
        expected = ", ".join(DIALECTS)
        yield Violation(name, f"$schema: {shown_value(value['$schema'])} (expected: {expected})", "/$schema")
        return
    first = next(iter(linked.files.values()), None)
    if first is not None and first.dialect is not dialect:
        yield Violation(name, f"$schema: {dialect.name} (expected: {first.dialect.name}, as in {first.path})")
        return
    file = linked.files[path] = LinkedFile(path, value, dialect)
    yield from _walk(file, name)


def _walk(file: LinkedFile, name: str) -> Iterator[Violation]:
    """Find all schemas in a file; yield the keywords that may not be there."""
    waiting: list[tuple[str, object]] = [("", file.value)]
    while waiting:
        pointer, schema = waiting.pop()
        file.places[pointer] = schema
        if not isinstance(schema, dict):
            continue
        for problem, keyword in _forbidden(schema, file.dialect, is_root=not pointer):
            yield Violation(name, problem, f"{pointer}/{keyword}")
        anchor = schema.get("$anchor")
        if isinstance(anchor, str) and file.anchors.setdefault(anchor, pointer) != pointer:
            yield Violation(name, f"$anchor: {shown_value(anchor)} is there twice (expected: once)", pointer)
        for held in held_schemas(schema):
            inner = pointer + "".join(map(_step, held.path))
            if len(inner) > MAX_POINTER_CHARS:
                yield Violation(
                    name, f"pointer: {len(inner)} characters (expected: <= {MAX_POINTER_CHARS})", pointer
                )
                continue
            waiting.append((inner, held.schema))
            if held.is_in_place:
                file.in_place.setdefault(pointer, []).append(inner)


def _step(part: str | int) -> str:
    """Return one step of a JSON pointer; unlike those in findings these are never cut."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def _forbidden(schema: Mapping[str, object], dialect: Dialect, *, is_root: bool) -> Iterator[tuple[str, str]]:
    for keyword in _DYNAMIC:
        if keyword in schema:
            yield f"{keyword} is not supported (expected: $ref to {_LOCAL})", keyword
    if is_root:
        return
    if "$schema" in schema:
        yield "$schema stands inside a schema (expected: at the top only)", "$schema"
    if dialect.id_keyword in schema:
        yield f"{dialect.id_keyword} stands inside a schema (expected: at the top only)", dialect.id_keyword


def _follow(linked: Linked, file: LinkedFile, schema: Schema) -> Iterator[Violation]:
    """Note where every `$ref` of a file leads; yield those that lead nowhere."""
    for pointer, place in file.places.items():
        reference = place.get("$ref") if isinstance(place, dict) else None
        if reference is None:
            continue
        target = _target(linked, file.path, reference, schema)
        if isinstance(target, str):
            message = f"$ref: {shown_value(reference)} {target}"
            yield Violation(f"{schema.folder}/{file.path}", message, f"{pointer}/$ref")
        else:
            linked.targets[file.path, pointer] = target


def _target(linked: Linked, base: str, reference: object, schema: Schema) -> Place | str:
    """Return where a `$ref` leads, or why it leads nowhere."""
    split = split_reference(base, reference) if isinstance(reference, str) else None
    if split is None:
        return f"leads outside (expected: {_LOCAL}; nothing is fetched)"
    path, fragment = split
    file = linked.files.get(path)
    if file is None:
        return "is not usable" if path in schema.files else f"is not there (expected: a file {path})"
    fragment = unquote(fragment)
    pointer = file.anchors.get(fragment) if fragment and not fragment.startswith("/") else fragment
    if pointer is None or pointer not in file.places:
        return "is no schema (expected: the place of one, such as #/$defs/NAME)"
    return path, pointer


def _endless(linked: Linked, schema: Schema) -> Iterator[Violation]:
    """Yield why judging one value by this schema might not come to an end in time."""
    expansion = _Expansion(linked)
    for path, file in linked.files.items():
        for pointer in file.places:
            problem = expansion.problem((path, pointer))
            if problem is not None:
                yield Violation(f"{schema.folder}/{path}", problem, pointer)
                return


class _Expansion:
    """Counts the schemas that may be tried for one value, every `$ref` followed; each place once."""

    def __init__(self, linked: Linked) -> None:
        self._linked = linked
        self._counts: dict[Place, tuple[int, int]] = {}
        self._open: set[Place] = set()

    def problem(self, place: Place) -> str | None:
        """Return what is wrong with the schema at `place`, None when nothing is."""
        stack = [place]
        while stack:
            current = stack[-1]
            if current in self._counts:
                stack.pop()
                continue
            inner = self._inner(current)
            missing = [each for each in inner if each not in self._counts]
            if not missing:
                stack.pop()
                self._open.discard(current)
                problem = self._count(current, inner)
                if problem is not None:
                    return problem
            elif current in self._open:
                return "comes back to itself without going deeper into the value (expected: an end)"
            else:
                self._open.add(current)
                stack.extend(missing)
        return None

    def _inner(self, place: Place) -> list[Place]:
        path, pointer = place
        inner = [(path, each) for each in self._linked.files[path].in_place.get(pointer, ())]
        target = self._linked.targets.get(place)
        return inner if target is None else [*inner, target]

    def _count(self, place: Place, inner: list[Place]) -> str | None:
        counts = [self._counts[each] for each in inner]
        expanded = 1 + sum(count for count, _ in counts)
        chain = 1 + max((depth for _, depth in counts), default=0)
        if expanded > MAX_EXPANDED:
            return f"stands for more than {MAX_EXPANDED} schemas for one value (expected: <= {MAX_EXPANDED})"
        if chain > MAX_CHAIN:
            return f"stands for more than {MAX_CHAIN} schemas inside one another (expected: <= {MAX_CHAIN})"
        self._counts[place] = (expanded, chain)
        return None
