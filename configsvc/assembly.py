"""The parts of a server that are the same for every command: the store behind its gate, and the door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from configsvc.access.decide import Access
from configsvc.access.requests import answer_request
from configsvc.audit import LOCAL, noted
from configsvc.core.changes import Author, Outcome
from configsvc.core.errors import RequestInvalid
from configsvc.core.measures import BatchReport
from configsvc.core.reports import Violation
from configsvc.core.tracing import UNTRACED, Tracer
from configsvc.core.trees import PathChange
from configsvc.documents.bounds import Bounds
from configsvc.door import Answer, Door
from configsvc.edits import commit_edits
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import ConfigStore
from configsvc.store.gitstore import GitStore
from configsvc.store.steptree import Gate, StepTree
from configsvc.validation.conformance import SchemaGate
from configsvc.validation.gate import judge_changes
from configsvc.validation.layout import path_problem
from configsvc.validation.operator import OperatorSchemas
from configsvc.validation.verdicts import SchemaJudge
from configsvc.validation.workers import WorkerPool


class Instance(NamedTuple):
    """A repository that is held, with all that guards it."""

    store: GitStore
    service: ConfigService
    gate: SchemaGate
    bounds: Bounds
    access: Access

    def judge_all(self) -> list[Violation]:
        """Return all that the gate would refuse of what is at head; empty when it accepts it."""
        snapshot = self.store.snapshot()
        changes = [PathChange(path, entry.mode, entry.id) for path, entry in snapshot.walk()]
        tree = StepTree.at(snapshot)
        malformed = judge_changes(changes, tree, bounds=self.bounds)
        paths = [change.path for change in changes]
        return malformed + self.gate.rules().violations(paths, tree.documents())

    def commit_edits(
        self, author: Author, *, message: str = "", paths: Sequence[str] = (), overwrite: bool = False
    ) -> Outcome:
        """Land what was edited in the working tree; see `edits.commit_edits`."""
        return commit_edits(
            self.store,
            author=author,
            bounds=self.bounds,
            gate=self.gate,
            message=message,
            paths=paths,
            overwrite=overwrite,
        )


@dataclass(frozen=True, slots=True)
class OpenGate:
    """The gate with its worker processes.

    Args:
        schemas: What conforms to its schemas.
        step: Judges what a commit changed: form first, then schemas.
    """

    schemas: SchemaGate
    step: Gate
    workers: WorkerPool


@contextmanager
def open_gate(settings: Settings) -> Iterator[OpenGate]:
    """Yield the gate, one for writes, pushes, adoption and `configsvc check`; let go of it in the end."""
    bounds = settings.bounds
    with closing(WorkerPool()) as workers:
        judge = SchemaJudge(workers)
        # By this thread: the operator is no stranger, and no worker has to be started for it.
        operator = OperatorSchemas(settings.schemas)
        gate = SchemaGate(judge, operator, bounds=bounds)

        def judge_step(changes: Sequence[PathChange], tree: StepTree) -> Sequence[Violation]:
            malformed = judge_changes(changes, tree, bounds=bounds)
            paths = [change.path for change in changes]
            return malformed or gate.rules().violations(paths, tree.documents())

        yield OpenGate(gate, judge_step, workers)


@contextmanager
def open_instance(
    settings: Settings,
    *,
    create: bool = True,
    on_batch: Callable[[BatchReport], None] = lambda report: None,
    tracer: Tracer = UNTRACED,
) -> Iterator[Instance]:
    """Yield the repository at `settings.repo`, behind the gate; let go of it in the end.

    Args:
        on_batch: See `GitStore.open`.
        tracer: Told of each batch too, and of what each write waits for.

    Raises:
        RepositoryUnusable: It cannot be opened as it is; the message says why.
        RepositoryLocked: Another process has it open.
    """

    def told(report: BatchReport) -> None:
        on_batch(report)
        tracer.note_batch(report)

    with (
        open_gate(settings) as gate,
        GitStore.open(
            settings.repo,
            create=create,
            gate=gate.step,
            path_problem=path_problem,
            push_s=settings.git_timeout_s,
            on_batch=told,
            mark=tracer.mark,
        ) as store,
    ):
        service = ConfigService(
            store, gate=gate.schemas, editor=gate.workers, bounds=settings.bounds, tracer=tracer
        )
        access = Access(store.snapshot)
        store.listen(lambda paths: access.refresh())  # so that reads never wait for it
        yield Instance(store, service, gate.schemas, settings.bounds, access)


def open_door(instance: Instance, *, more: Mapping[str, Answer] | None = None) -> Door:
    """Return the door by which commands on this machine reach `instance` while it is held.

    Args:
        more: Answers to requests beside those of every command.
    """

    def commit(request: Mapping[str, object], author: Author) -> Mapping[str, object]:
        def land() -> Mapping[str, object]:
            outcome = instance.commit_edits(
                author,
                message=_text(request, "message"),
                paths=_texts(request, "paths"),
                overwrite=request.get("overwrite") is True,
            )
            return outcome_as_json(outcome)

        return noted(LOCAL, str(author), "commit", "", land)

    def principals(request: Mapping[str, object], author: Author) -> Mapping[str, object]:
        return answer_noted(instance.store, author, request)

    return Door(instance.store.git_dir, {"commit": commit, "principals": principals, **(more or {})})


def answer_noted(store: ConfigStore, author: Author, request: Mapping[str, object]) -> Mapping[str, object]:
    """Do what a request asks of the principals, and note in the audit log what changes them."""
    act, name = str(request.get("act")), str(request.get("name", ""))
    if act == "list":
        return answer_request(store, author, request)
    return noted(
        LOCAL, str(author), f"principals.{act}", name, lambda: answer_request(store, author, request)
    )


def outcome_as_json(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as plain JSON data."""
    return {
        "revision": outcome.revision,
        "commit_id": outcome.commit_id,
        "changed": outcome.changed,
        "versions": [
            {"service": made.service, "version": made.version, "deleted": made.deleted}
            for made in outcome.versions
        ],
    }


def _text(request: Mapping[str, object], name: str) -> str:
    value = request.get(name, "")
    if not isinstance(value, str):
        raise RequestInvalid(f"{name}: {type(value).__name__} (expected: text)")
    return value


def _texts(request: Mapping[str, object], name: str) -> list[str]:
    value = request.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RequestInvalid(f"{name}: {type(value).__name__} (expected: a list of texts)")
    return value
