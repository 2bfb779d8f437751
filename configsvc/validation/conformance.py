"""Documents held to the schemas that govern them, in any tree: one write's, a push's, the whole repository's.

What a tree is asked for by id is remembered by id, so that judging again what was
judged before costs no parsing: a schema that governs ten thousand services is judged by them
once, and after that only by what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import Format, document_path, find_document
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import parse_document
from configsvc.documents.places import find_places
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
"""Most violations that are told of one write."""
MAX_TOLD_OF_ONE = 20
"""Most violations that are told of one document which a change of schemas would break."""


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


@dataclass(frozen=True, slots=True)
class Sent:
    """The text of a document as its sender knows it; lines and columns are told of it."""

    data: bytes
    format: Format


SentTexts = Mapping[str, Sent | None]
"""By path of the document; None: nobody knows its lines.  What is not in it is told of as it is stored."""


class SchemaGate:
    """Judges trees by the schemas in them and by the operator's.  Thread-safe.

    Args:
        operator: Returns the operator's schemas that are in force.
        bounds: Of documents.
    """

    def __init__(self, judge: SchemaJudge, operator: Callable[[], SchemaSource], *, bounds: Bounds) -> None:
        self.judge = judge
        self.bounds = bounds
        self._operator = operator
        self._tables: Recent[tuple[str, int], _SchemaTable] = Recent(16)

    def rules(self) -> Rules:
        """Return what one write is judged by: it may not change while the write waits.

        Raises:
            Unavailable: The operator's schemas could not be read yet.
        """
        return Rules(self, self._operator())

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
        may_wait: bool = True,
    ) -> list[Violation]:
        """Return all that schemas refuse about a change; empty when it conforms.

        A schema that changed is checked, with all that refer to it, and every service that
        these govern is judged again.

        Args:
            changed: Paths that the change touches.
            tree: What it leads to.
            sent: Texts whose lines the sender knows.

        Raises:
            JudgementPending: It is slow, and `may_wait` is false.
            SchemaTooSlow: It takes too much time or memory.
            QueueFull, Unavailable, ServiceClosed: No worker could judge it.
        """
        if self._operator.is_empty and tree.identity(REPOSITORY_FOLDER) is None:
            return []
        judging = _Judging(self._gate, self._gate.table(tree, self._operator), tree, sent or {}, may_wait)
        asked = {found.service for path in changed if (found := find_document(path)) is not None}
        told = [each for service in sorted(asked) for each in judging.document(service)]
        schemas = frozenset(
            path[len(REPOSITORY_FOLDER) + 1 :] for path in changed if path.startswith(f"{REPOSITORY_FOLDER}/")
        )
        if schemas and not told:
            told = judging.schemas(schemas, beside=asked)
        return told[:MAX_TOLD]

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

    def document(self, service: str) -> list[Violation]:
        """Return the violations of a service's document; one that does not parse has none here."""
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
        except DocumentInvalid:  # the gate of form has told, or it was there before the gate
            return []
        violations = self.gate.judge.judge(
            value,
            schemas,
            document_id=document_id,
            places=self._places(path, Sent(data, format_)),
            may_wait=self.may_wait,
        )
        return [each if each.path else replace(each, path=path) for each in violations]

    def schemas(self, changed: frozenset[str], *, beside: Collection[str]) -> list[Violation]:
        """Return what is wrong with changed schemas, else what their documents violate.

        Args:
            beside: Services that were judged already.
        """
        affected = [schema for schema in self._all_schemas() if mentioned(schema) & changed]
        broken = [
            each for schema in affected for each in self.gate.judge.check(schema, may_wait=self.may_wait)
        ]
        if broken:
            return list(dict.fromkeys(broken))
        told: list[Violation] = []
        for service in sorted(self._governed(affected) - set(beside)):
            told += self._bounded(service)
            if len(told) >= MAX_TOLD:
                break
        return told

    def _bounded(self, service: str) -> Sequence[Violation]:
        violations = self.document(service)
        if len(violations) <= MAX_TOLD_OF_ONE:
            return violations
        rest = len(violations) - MAX_TOLD_OF_ONE
        more = Violation(violations[0].path, f"{rest} more violations (the rest is not told)")
        return [*violations[:MAX_TOLD_OF_ONE], more]

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
