"""The judgement that the write path asks for: bounded in time, remembered by what it depends on.

What is surely quick is judged in the thread that asks; the workers do the
rest.  A document that conformed under the same schemas is not judged again,
so that a plan made again costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from configsvc.core.reports import Violation
from configsvc.validation.placing import Places, placed
from configsvc.validation.recent import Recent
from configsvc.validation.schemas import Schema

K = TypeVar("K", bound=Hashable)

QUICK_NODES = 5_000
"""A value of more nodes is judged by the workers."""
QUICK_TEXT_CHARS = 64 << 10
"""A value of more text is judged by the workers."""
QUICK_CPU_S = 0.025
"""Processor time after which a judgement goes to the workers, in seconds."""


class Workers(Protocol):
    """Where slow judging runs; see `WorkerPool`."""

    def judge(self, value: object, schemas: Sequence[Schema]) -> list[Violation]: ...

    def check(self, schema: Schema) -> list[Violation]: ...


class JudgementPending(Exception):
    """What was asked is not known yet, and the asking thread may not wait for it."""


class SchemaJudge:
    """Judges documents and schemas.  Thread-safe.

    Args:
        workers: Does what may be slow; stays the caller's to close.
        quick_cpu_s: Processor time that the asking thread spends at most.
    """

    def __init__(self, workers: Workers, *, quick_cpu_s: float = QUICK_CPU_S) -> None:
        self._workers = workers
        self._quick_cpu_s = quick_cpu_s
        self._usable: Recent[str, bool] = Recent(4096)
        self._conforming: Recent[tuple[str, tuple[str, ...]], bool] = Recent(16_384)

    def conforms(self, document_id: str, schemas: Sequence[Schema]) -> bool:
        """Return whether a document is known to conform: it was judged by the very same schemas."""
        return self._conforming.find(_key(document_id, schemas)) is not None

    def check(self, schema: Schema, *, may_wait: bool = True) -> list[Violation]:
        """Return all that is wrong with a schema, `path` being the file of it; empty when it can be used.

        Raises:
            JudgementPending: It is not known yet, and `may_wait` is false.
            SchemaTooSlow: Checking it takes too much time or memory.
            QueueFull, Unavailable, ServiceClosed: No worker could check it.
        """
        if not may_wait and self._usable.find(schema.schema_id) is None:
            raise JudgementPending
        return _kept(self._usable, schema.schema_id, lambda: self._workers.check(schema))

    def judge(
        self,
        value: object,
        schemas: Sequence[Schema],
        *,
        document_id: str | None = None,
        places: Places | None = None,
        may_wait: bool = True,
    ) -> list[Violation]:
        """Return all violations of a value, as `judge_value` does, or those of a schema that cannot be used.

        Args:
            document_id: Of the document that parses to `value` (its blob id and
                format); None: nothing is remembered.
            may_wait: Let the workers do what is slow.

        Raises:
            JudgementPending: It is slow, and `may_wait` is false.
            SchemaTooSlow: It takes too much time or memory.
            QueueFull, Unavailable, ServiceClosed: No worker could judge it.
        """
        unusable = [each for schema in schemas for each in self.check(schema, may_wait=may_wait)]
        if unusable or not schemas:
            return unusable
        if document_id is None:
            return placed(self._judge(value, schemas, may_wait), places)
        key = _key(document_id, schemas)
        return placed(_kept(self._conforming, key, lambda: self._judge(value, schemas, may_wait)), places)

    def _judge(self, value: object, schemas: Sequence[Schema], may_wait: bool) -> list[Violation]:
        # Not at the top, for it would hold up a start: see NOT_AT_START of the server.
        from configsvc.validation.quick import judge_quickly

        found = judge_quickly(value, schemas, cpu_s=self._quick_cpu_s) if _is_quick(value) else None
        if found is not None:
            return found
        if not may_wait:
            raise JudgementPending
        return self._workers.judge(value, schemas)  # they have more time and a larger stack


class _Found(Exception):
    """Violations, on their way past a memory that keeps none."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__()
        self.violations = violations


def _kept(memory: Recent[K, bool], key: K, find: Callable[[], list[Violation]]) -> list[Violation]:
    """Return what `find` returns; that it was nothing is remembered."""

    def find_none() -> bool:
        violations = find()
        if violations:
            raise _Found(violations)
        return True

    try:
        memory.get(key, find_none)
    except _Found as found:
        return found.violations
    return []


def _key(document_id: str, schemas: Sequence[Schema]) -> tuple[str, tuple[str, ...]]:
    return document_id, tuple(schema.schema_id for schema in schemas)


def _is_quick(value: object) -> bool:
    """Return whether a value is small; looks at no more of it than it takes to know."""
    nodes, characters = 0, 0
    waiting = [value]
    while waiting:
        current = waiting.pop()
        nodes += 1
        if isinstance(current, str):
            characters += len(current)
        elif isinstance(current, dict | list):
            nodes += len(current)
            if nodes <= QUICK_NODES:
                nodes -= len(current)
                characters += sum(map(len, current)) if isinstance(current, dict) else 0
                waiting.extend(current.values() if isinstance(current, dict) else current)
        if nodes > QUICK_NODES or characters > QUICK_TEXT_CHARS:
            return False
    return True
