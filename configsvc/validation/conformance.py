"""Documents held to the schemas that govern them, in any tree: one write's, a push's, the whole repository's.

What a tree is asked for by id is remembered by id, so that judging again what was
judged before costs no parsing: a schema that governs ten thousand services is judged by them
once, and after that only by what changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from configsvc.core.errors import DocumentInvalid, SchemaTooSlow
from configsvc.core.names import Format, document_path, find_document
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import parse_document
from configsvc.documents.places import find_places
from configsvc.validation.operator import OperatorSchemas
from configsvc.validation.recent import Recent
from configsvc.validation.schemas import (
    REPOSITORY_FOLDER,
    Schema,
    SchemaSource,
    find_schema,
    find_schemas,
    governed_folder,
    is_schema_path,
    mentioned,
    repository_source,
)
from configsvc.validation.verdicts import SchemaJudge

MAX_TOLD = 1000
"""Most violations that are told of one write, and most documents whose violations are."""
MAX_JUDGING_S = 20.0
"""Longest that judging all that a change of schemas governs may take, in seconds."""
MAX_TOLD_OF_ONE = 20
"""Most violations that are told of one document of several."""


class DocumentTree(Protocol):
    """The tree that is judged."""

    def identity(self, path: str) -> str | None:
        """Return what is equal exactly for equal content at or below `path`; None when nothing is there."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none."""

    def names(self, folder: str) -> Collection[str]:
        """Return the names in a folder; empty when there is none."""

    def services(self, prefix: str = "") -> Iterator[str]:
        """Yield the services that exist and start with `prefix`, sorted."""

    def document(self, service: str) -> tuple[Format, str] | None:
        """Return format and blob id of a service's document, None when it has none."""


class Sent(NamedTuple):
    """The text of a document as its sender knows it; lines and columns are told of it."""

    data: bytes
    format: Format


SentTexts = Mapping[str, Sent | None]
"""By path of the document; None: nobody knows its lines.  What is not in it is told of as it is stored."""


class Sight(Protocol):
    """What the one who changes schemas may do with each, by path below their folder."""

    def may_read(self, path: str) -> bool:
        """Return whether they may read it; to them it is not there if not."""

    def may_change(self, path: str) -> bool:
        """Return whether they answer for it."""


class SchemaGate:
    """Judges trees by the schemas in them and by the operator's.  Thread-safe.

    Args:
        operator: The operator's schemas.
        bounds: Of documents.
    """

    def __init__(self, judge: SchemaJudge, operator: OperatorSchemas, *, bounds: Bounds) -> None:
        self.judge = judge
        self.bounds = bounds
        self._operator = operator
        self._tables: Recent[tuple[str, int], _SchemaTable] = Recent(16)

    def rules(self) -> Rules:
        """Return what one write is judged by: it may not change while the write waits.

        Raises:
            Unavailable: The operator's schemas could not be read yet.
        """
        return Rules(self, self._operator.source())

    @property
    def operator_violations(self) -> tuple[Violation, ...]:
        """Why the operator's schemas as they are on disk are not in force; empty when they are."""
        return self._operator.violations

    def table(self, tree: DocumentTree, operator: SchemaSource) -> _SchemaTable:
        """Return the look-up of schemas for a tree; that of equal schemas is the same."""
        identity = tree.identity(REPOSITORY_FOLDER) or ""
        source = repository_source(tree.read) if identity else SchemaSource(REPOSITORY_FOLDER, _nothing)
        # An id is enough: the table that is remembered under it keeps the operator's state alive.
        table = self._tables.get((identity, id(operator)), lambda: _SchemaTable(operator))
        return table.reading(source)


class Rules:
    """The gate at one state of the operator's schemas."""

    def __init__(self, gate: SchemaGate, operator: SchemaSource) -> None:
        self._gate = gate
        self._operator = operator

    def are_as(self, other: Rules) -> bool:
        """Return whether these are the operator's schemas at the same state."""
        return self._operator is other._operator

    def violations(
        self,
        changed: Collection[str],
        tree: DocumentTree,
        *,
        sent: SentTexts | None = None,
        sight: Sight | None = None,
        may_wait: bool = True,
    ) -> list[Violation]:
        """Return all that schemas refuse about a change; empty when it conforms.

        A schema that changed is checked, with all that refer to it, and every service that
        these govern is judged again.

        Args:
            changed: Paths that the change touches.
            tree: What it leads to.
            sent: Texts whose lines the sender knows.
            sight: Of the one who asks; None: they answer for everything.  What refers to a changed
                schema without being theirs does not hold up the change, and is not told of.

        Raises:
            JudgementPending: It is slow, and `may_wait` is false.
            SchemaTooSlow: It takes too much time or memory.
            QueueFull, Unavailable, ServiceClosed: No worker could judge it.
        """
        if self._operator.is_empty and tree.identity(REPOSITORY_FOLDER) is None:
            return []
        table = self._gate.table(tree, self._operator)
        judging = _Judging(self._gate, table, tree, sent or {}, may_wait, sight)
        asked = {found.service for path in changed if (found := find_document(path)) is not None}
        schemas = frozenset(
            path[len(REPOSITORY_FOLDER) + 1 :] for path in changed if path.startswith(f"{REPOSITORY_FOLDER}/")
        )
        affected = judging.affected(schemas) if schemas else []
        broken = judging.broken(affected, schemas)
        if judging.hides(affected, schemas):  # documents beside it would be judged by what may not be seen
            return broken
        told = [judging.document(service) for service in sorted(asked)]
        if not broken and not any(told):
            told = judging.governed(affected, beside=asked)
        return [*broken, *_shortened([each for each in told if each])]

    def document_violations(self, service: str, tree: DocumentTree) -> list[Violation]:
        """Return all violations of one service's document as it is stored."""
        return _Judging(self._gate, self._gate.table(tree, self._operator), tree, {}, True).document(service)

    def value_violations(
        self, service: str, value: object, tree: DocumentTree, places: Callable[[str], tuple[int, int]]
    ) -> list[Violation]:
        """Return all violations of a value that is not in the tree, judged by the schemas of `service`."""
        schemas = self._gate.table(tree, self._operator).of(service)
        return self._gate.judge.judge(value, schemas, places=places)


@dataclass(slots=True)
class _SchemaTable:
    """The schemas of one state of the repository and of the operator, found once for each service."""

    operator: SchemaSource
    source: SchemaSource = field(default_factory=lambda: SchemaSource(REPOSITORY_FOLDER, _nothing))
    _known: Recent[str, list[Schema]] = field(default_factory=lambda: Recent(16_384))

    def reading(self, source: SchemaSource) -> _SchemaTable:
        """Return this table, reading from an equal state."""
        return _SchemaTable(self.operator, source, self._known)

    def of(self, service: str) -> list[Schema]:
        """Return the schemas that govern a service."""
        return self._known.get(
            service, lambda: [*find_schemas(service, self.source), *find_schemas(service, self.operator)]
        )


@dataclass(slots=True)
class _Judging:
    """One judgement of one tree."""

    gate: SchemaGate
    table: _SchemaTable
    tree: DocumentTree
    sent: SentTexts
    may_wait: bool
    sight: Sight | None = None

    def document(self, service: str, *, is_broken_told: bool = True) -> list[Violation]:
        """Return the violations of a service's document.

        Args:
            is_broken_told: That a text does not parse is a violation too; if not, it has none.
        """
        found = self.tree.document(service)
        schemas = self.table.of(service)
        if found is None or not schemas:
            return []
        format_, blob_id = found
        document_id = f"{blob_id}-{format_.value}"
        if self.gate.judge.conforms(document_id, schemas):
            return []
        path = document_path(service, format_)
        data = self.tree.read(path) or b""
        try:
            value = parse_document(data, format_, bounds=self.gate.bounds)
        except DocumentInvalid as error:  # it was there before the gate
            return [Violation(path, error.message)] if is_broken_told else []
        violations = self.gate.judge.judge(
            value,
            schemas,
            document_id=document_id,
            places=self._places(path, Sent(data, format_)),
            may_wait=self.may_wait,
        )
        return [each if each.path else replace(each, path=path) for each in violations]

    def affected(self, changed: frozenset[str]) -> list[Schema]:
        """Return the schemas that are made of changed files, or refer to one, as far as they hold it up."""
        sight = self.sight
        return [
            schema
            for schema in self._all_schemas()
            if mentioned(schema) & changed
            and (sight is None or schema.path in changed or sight.may_change(schema.path))
        ]

    def broken(self, schemas: Sequence[Schema], changed: frozenset[str]) -> list[Violation]:
        """Return why schemas cannot be used; empty when they can.

        Args:
            changed: The files that may refer to no more than the one who asks may read.
        """
        seen = (self._as_seen(schema) if schema.path in changed else schema for schema in schemas)
        found = [each for schema in seen for each in self.gate.judge.check(schema, may_wait=self.may_wait)]
        return [self._placed(each) for each in dict.fromkeys(found)]

    def hides(self, schemas: Sequence[Schema], changed: frozenset[str]) -> bool:
        """Return whether changed schemas refer to what the one who asks may not read, be it there or not."""
        return not all(self._is_seen(schema) for schema in schemas if schema.path in changed)

    def _is_seen(self, schema: Schema) -> bool:
        return self.sight is None or all(map(self.sight.may_read, mentioned(schema)))

    def _as_seen(self, schema: Schema) -> Schema:
        """Return a schema as if files that the one who asks may not read were not there."""
        sight, read = self.sight, self.table.source.read
        if sight is None or self._is_seen(schema):
            return schema
        readable = replace(self.table.source, read=lambda path: read(path) if sight.may_read(path) else None)
        return find_schema(schema.path, readable) or schema

    def governed(self, schemas: Sequence[Schema], *, beside: Collection[str]) -> list[list[Violation]]:
        """Return the violations of each document that schemas govern; those that conform are left out.

        Args:
            beside: Services that were judged already.

        Raises:
            SchemaTooSlow: Judging them all takes too long.
        """
        give_up_at = time.monotonic() + MAX_JUDGING_S
        told: list[list[Violation]] = []
        for service in sorted(self._governed(schemas) - set(beside)):
            violations = self.document(service, is_broken_told=False)
            if violations:
                told.append(violations)
            if len(told) > MAX_TOLD:
                break
            if time.monotonic() > give_up_at:
                names = ", ".join(schema.name for schema in schemas[:3])
                raise SchemaTooSlow(
                    f"schema {names}: judging all that it governs takes more than {MAX_JUDGING_S:g} s "
                    "(expected: a quicker schema, or one for fewer services)"
                )
        return told

    def _placed(self, violation: Violation) -> Violation:
        """Return a finding about a schema with its line and column."""
        data = self.tree.read(violation.path)
        places = None if data is None else self._places(violation.path, Sent(data, Format.JSON))
        if places is None or violation.line:
            return violation
        try:
            place = places(violation.pointer)
        except (DocumentInvalid, ValueError):  # what is no JSON has no places
            return violation
        return violation if place is None else replace(violation, line=place[0], column=place[1])

    def _governed(self, schemas: Sequence[Schema]) -> set[str]:
        governed: set[str] = set()
        for schema in schemas:
            folder = governed_folder(schema.path)
            if folder is not None:
                governed.update(self.tree.services(f"{folder}/" if folder else ""))
            elif self.tree.document(service := schema.path.removesuffix(".json")) is not None:
                governed.add(service)
        return governed

    def _all_schemas(self) -> Iterator[Schema]:
        for path in schema_files(self.tree):
            schema = find_schema(path, self.table.source)
            if schema is not None:
                yield schema

    def _places(self, path: str, stored: Sent) -> Callable[[str], tuple[int, int] | None] | None:
        text = self.sent.get(path, stored)
        return None if text is None else places_of(text.data, text.format)


def _shortened(told: Sequence[Sequence[Violation]]) -> list[Violation]:
    """Return the violations of several documents, in so few that each document is named."""
    if len(told) <= 1:
        return [each for violations in told for each in violations[:MAX_TOLD]]
    most = MAX_TOLD_OF_ONE if sum(map(len, told)) <= MAX_TOLD else 1
    short: list[Violation] = []
    for violations in told[:MAX_TOLD]:
        short += violations[:most]
        rest = len(violations) - most
        if rest > 0 and most > 1:
            short.append(Violation(violations[0].path, f"{rest} more violations (the rest is not told)"))
    if most == 1:
        short.append(Violation("", "one violation of each document is told, there are too many for all"))
    if len(told) > MAX_TOLD:
        short.append(Violation("", f"more than {MAX_TOLD} documents (the rest is not told)"))
    return short


def schema_files(tree: DocumentTree, folder: str = "") -> Iterator[str]:
    """Yield the paths of all schemas of the repository, below their folder, sorted in each folder."""
    for name in sorted(tree.names(f"{REPOSITORY_FOLDER}/{folder}".rstrip("/"))):
        path = folder + name
        if is_schema_path(path):
            yield path
        elif not name.endswith(".json"):
            yield from schema_files(tree, f"{path}/")


def places_of(data: bytes, format_: Format) -> Callable[[str], tuple[int, int]]:
    """Return the look-up of line and column by JSON pointer, which reads the text when first asked."""
    known: list[Callable[[str], tuple[int, int]]] = []

    def look_up(pointer: str) -> tuple[int, int]:
        if not known:
            places = find_places(data, format_)
            known.append(lambda each: places.find(each).value)
        return known[0](pointer)

    return look_up


def _nothing(path: str) -> None:
    return None
