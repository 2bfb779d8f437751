"""`ConfigService`: reads, and the one path of all writes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from configsvc.access.decide import Action
from configsvc.access.landing import require_at
from configsvc.core.changes import Outcome, Plan, ServiceVersion, is_request_id
from configsvc.core.errors import (
    DocumentInvalid,
    PathConflict,
    PreconditionFailed,
    RequestInvalid,
    SchemaNotFound,
    ServiceNotFound,
    VersionDeleted,
    VersionNotFound,
)
from configsvc.core.fairturns import FairTurns
from configsvc.core.names import Format, find_document, meta_path, parse_service
from configsvc.core.patterns import EVERYTHING
from configsvc.core.reports import Violation
from configsvc.core.tracing import UNTRACED, Tracer
from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.document import Document, Value, parse_document, read_document
from configsvc.documents.meta import Meta
from configsvc.service.asked import check_names, digest_of
from configsvc.service.changes import PLAIN, Ask, Change
from configsvc.service.conflicts import explain
from configsvc.service.editions import Editor, FingerprintCache, LocalEditor, stored_value
from configsvc.service.effects import known_meta, read_meta
from configsvc.service.landing import PatientPlan, land
from configsvc.service.planning import Grounds, Planner
from configsvc.service.staging import Staged
from configsvc.service.turns import Turns
from configsvc.store.base import ConfigStore, Entry, Snapshot, StoreStatus, View
from configsvc.store.objects import object_id
from configsvc.validation.askers import asking
from configsvc.validation.conformance import SchemaGate, places_of, schema_files
from configsvc.validation.schemas import REPOSITORY_FOLDER


class Preview(NamedTuple):
    """What a dry run would have done to one file; None where there is none."""

    path: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write that is durable, and the state right after it; of a dry run, what would have come of it.

    Args:
        outcome: Of a dry run its commit id is empty and its revision the one it was judged at.
        snapshot: A state that contains the write.
        previews: Of a dry run, what it would have changed, by path.
    """

    outcome: Outcome
    snapshot: Snapshot
    previews: tuple[Preview, ...] = field(default=())

    def entry(self, service: str) -> Entry:
        """Return the newest version of a service at the outcome's revision.

        Raises:
            ServiceNotFound: It has none.
        """
        found = self.snapshot.find_at(service, self.outcome.revision)
        if found is None:
            raise ServiceNotFound(f"service: {service!r} does not exist")
        return found

    def meta(self, service: str) -> tuple[Meta, str | None]:
        """Return what was known of a service right after the write, and the blob id of its file, if any.

        Others may have written since, and a repeat may be told of what was long ago.
        """
        data = self.snapshot.read_at(meta_path(service), self.outcome.revision)
        return known_meta(data), None if data is None else object_id("blob", data).hex()


class ConfigService:
    """Reads and writes of configuration over one store.  Thread-safe.

    Args:
        gate: Holds documents to schemas; None: they are held to none.
        editor: Edits large texts; None: the asking thread does.
        turns: Lent to others while a write waits to land.
        tracer: Told of what a write waits for.
    """

    def __init__(
        self,
        store: ConfigStore,
        *,
        gate: SchemaGate | None = None,
        editor: Editor | None = None,
        bounds: Bounds = DEFAULT_BOUNDS,
        turns: Turns | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._tracer = tracer
        self.turns = turns or Turns()
        self.is_draining = False
        self._drained: list[Callable[[], None]] = []
        self.comparing = FairTurns("diffs", most=2, most_waiting=8, most_each=4, patience_s=5.0)
        """Turns at reads that may take a second and a hundred megabytes."""
        self.bounds = bounds
        self._store = store
        self._gate = gate
        self._grounds = Grounds(bounds, FingerprintCache(), store.snapshot, editor or LocalEditor())
        self.snapshot = store.snapshot
        """Returns the newest durable state; asked for each read, so nothing stands between."""

    def listen(self, told: Callable[[Collection[str]], None]) -> Callable[[], None]:
        """Call `told` with the paths of each publish; see `ConfigStore.listen`."""
        return self._store.listen(told)

    def on_drain(self, let_go: Callable[[], None]) -> None:
        """Call `let_go` when the server begins to stop: it lets those go who wait for a change."""
        self._drained.append(let_go)

    def drain(self) -> None:
        """Let those go who wait for a change; who comes later does not wait."""
        self.is_draining = True
        for let_go in self._drained:
            let_go()

    def status(self) -> StoreStatus:
        """Return what is wrong with the store, if anything is."""
        return self._store.status()

    def read_document(self, data: bytes, format_: Format) -> Document:
        """Return the document for a body as sent; see `documents.read_document`."""
        return read_document(data, format_, bounds=self.bounds)

    def find_entry(self, snapshot: Snapshot, service: str, version: int | None = None) -> Entry:
        """Return the newest or one named version of a service that exists.

        Raises:
            NameInvalid: `service` is not in the grammar.
            ServiceNotFound: There is no such service now.
            VersionNotFound: It has no such version.
            VersionDeleted: That version is a tombstone.
        """
        newest = snapshot.find(parse_service(service))
        if newest is None or (newest.deleted and version is None):
            raise ServiceNotFound(f"service: {service!r} does not exist")
        if version is None:
            return newest
        entry = snapshot.entry(service, version)
        if entry is None:
            raise VersionNotFound(
                f"version: {version} of {service} does not exist (expected: 0 to {newest.version})"
            )
        if entry.deleted:
            raise VersionDeleted(f"version: {version} of {service} is the mark of its deletion")
        return entry

    def find_entry_at(self, snapshot: Snapshot, service: str, revision: int) -> Entry:
        """Return the version that a service had at a revision.

        Raises:
            NameInvalid: `service` is not in the grammar.
            ServiceNotFound: There was no such service then.
        """
        entry = snapshot.find_at(parse_service(service), revision)
        if entry is None or entry.deleted:
            raise ServiceNotFound(f"service: {service!r} did not exist at revision {revision}")
        return entry

    def document(self, snapshot: Snapshot, entry: Entry) -> bytes:
        """Return the text of a version as it is stored."""
        return snapshot.blob(_existing(entry)[1])

    def value(self, snapshot: Snapshot, entry: Entry) -> Value:
        """Return what the document of `entry` parses to.

        Raises:
            DocumentBroken: It does not parse.
        """
        format_, blob_id = _existing(entry)
        return stored_value(snapshot.blob(blob_id), format_, self.bounds)

    def meta(self, view: View, service: str) -> Meta:
        """Return enabled, owner and description of `service`; the defaults when it has no valid file."""
        return read_meta(view, service)[1]

    def schema(self, view: View, path: str) -> bytes:
        """Return the text of a schema of the repository.

        Args:
            path: Below the schemas' folder, such as `payments/api.json`.

        Raises:
            SchemaNotFound: There is none.
        """
        data = view.read(f"{REPOSITORY_FOLDER}/{path}")
        if data is None:
            raise SchemaNotFound(f"schema: {REPOSITORY_FOLDER}/{path} does not exist")
        return data

    def schema_paths(self, view: View) -> list[str]:
        """Return the paths of all schemas of the repository, below their folder, sorted."""
        return sorted(schema_files(Staged(view)))

    def judge(
        self, view: View, service: str, data: bytes, format_: Format, *, who: str | None = None
    ) -> list[Violation]:
        """Return all that the gate has against a text as the document of a service; empty for nothing.

        Args:
            who: Asks; None: nobody in particular.

        Raises:
            NameInvalid: `service` is not in the grammar.
            SchemaTooSlow: Judging it takes too much time or memory.
        """
        parse_service(service)
        try:
            value = parse_document(data, format_, bounds=self.bounds)
        except DocumentInvalid as error:
            return [_violation_of(detail) for detail in error.details] or [Violation("", error.message)]
        if self._gate is None:
            return []
        rules = self._gate.rules()
        with asking(who):
            return rules.value_violations(service, value, Staged(view), places_of(data, format_))

    def commit(
        self, changes: Sequence[Change], *, ask: Ask = PLAIN, expected_revision: int | None = None
    ) -> Receipt:
        """Land changes as one commit, all or nothing.

        Args:
            changes: At most one of each service's document, of its meta, and of each schema.
            expected_revision: Of the state that the commit must land on; None asks nothing.

        Raises:
            RequestInvalid: Changes or request id are malformed.
            NotFound, Conflict, PreconditionFailed: A change does not fit the state.
            DocumentInvalid: A document would break a bound.
            SchemaViolated: Documents would not conform, or schemas could not be used; `details` has all.
            Unavailable: Nothing was written, or nobody knows; the subclass says which.
        """
        check_names(changes)
        _check_request_id(ask)
        rules = None if self._gate is None else self._gate.rules()
        planner = Planner(self._grounds, changes, ask, rules, expected_revision=expected_revision)
        try:
            with asking(ask.asker):
                if ask.dry_run:
                    return self._preview(planner)
                digest = "" if ask.request_id is None else digest_of(changes)
                outcome = self._land(planner.plan, ask, digest)
        except PreconditionFailed as error:
            explain(error, changes, self._store.snapshot())
            raise
        except PathConflict as error:
            planner.locate(error)
            raise
        return Receipt(outcome, self._store.snapshot())

    def administer(self, plan: Callable[[View], Plan], ask: Ask, asked: str) -> Receipt:
        """Land a change of principals, by somebody who may administer everything.

        Args:
            plan: Makes the edits, and judges them; see `Write`.
            asked: Tells one ask from another under the same request id.

        Raises:
            RequestInvalid: The request id is malformed.
            Unauthorized, NotFound, Forbidden: It is not theirs to do, in the state that it would land on.
            ConfigError: The plan refused.
            Unavailable: As from `commit`.
        """
        _check_request_id(ask)

        def allowed(view: View, may_wait: bool) -> Plan:
            if ask.admission is not None:
                require_at(view, ask.admission, Action.ADMINISTER, EVERYTHING)
            made = plan(view)
            return made if ask.commit_message is None else replace(made, message=ask.commit_message)

        if ask.dry_run:
            snapshot = self._store.snapshot()
            return _previewed(snapshot, allowed(snapshot, True).edits, ())
        outcome = self._land(allowed, ask, hashlib.sha256(asked.encode()).hexdigest())
        return Receipt(outcome, self._store.snapshot())

    def _land(self, plan: PatientPlan, ask: Ask, digest: str) -> Outcome:
        return land(
            self._store, plan, ask.author, ask.request_id, digest, turns=self.turns, tracer=self._tracer
        )

    def _preview(self, planner: Planner) -> Receipt:
        snapshot = self._store.snapshot()
        staged = planner.stage(snapshot, True)
        snapshot.check_places(staged.edits)
        services = _services_of(_changed(snapshot, staged.edits))
        versions = tuple(_would_be(staged, service) for service in services)
        return _previewed(snapshot, staged.edits, versions)


def _check_request_id(ask: Ask) -> None:
    if ask.request_id is not None and not is_request_id(ask.request_id):
        raise RequestInvalid(
            f"request id: {ask.request_id[:80]!r} (expected: 1 to 128 of A-Z a-z 0-9 . _ ~ : / + = -)"
        )


def _previewed(
    snapshot: Snapshot, edits: Mapping[str, bytes | None], versions: tuple[ServiceVersion, ...]
) -> Receipt:
    changed = _changed(snapshot, edits)
    previews = tuple(Preview(path, snapshot.read(path), changed[path]) for path in sorted(changed))
    return Receipt(Outcome(snapshot.revision, "", versions, changed=bool(changed)), snapshot, previews)


def _changed(snapshot: Snapshot, edits: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    return {path: data for path, data in edits.items() if snapshot.read(path) != data}


def _existing(entry: Entry) -> tuple[Format, str]:
    if entry.format is None or entry.blob_id is None:
        raise VersionDeleted(f"version: {entry.version} of {entry.service} is the mark of its deletion")
    return entry.format, entry.blob_id


def _services_of(paths: dict[str, bytes | None]) -> list[str]:
    return sorted({found.service for path in paths if (found := find_document(path)) is not None})


def _would_be(staged: Staged, service: str) -> ServiceVersion:
    current = staged.entry(service)
    return ServiceVersion(
        service, 0 if current is None else current.version + 1, staged.document(service) is None
    )


def _violation_of(detail: object) -> Violation:
    assert isinstance(detail, dict)
    return Violation("", **{name: detail[name] for name in detail if name != "path"})
