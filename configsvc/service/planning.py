"""How changes become the exact edits of a state, judged by the gate.

One `Planner` serves one write; its `plan` is the pure function that the store runs, and
runs again when another write came in between (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from configsvc.access.landing import require_at
from configsvc.core.changes import Plan, commit_message
from configsvc.core.errors import (
    ConfigError,
    DocumentBroken,
    DocumentTooLarge,
    PathConflict,
    RevisionMismatch,
    SchemaViolated,
    ServiceExists,
    ServiceNotFound,
    VersionDeleted,
    VersionNotFound,
)
from configsvc.core.names import Format, document_path
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Document
from configsvc.documents.patch import apply_patch, merge_patch
from configsvc.service.changes import (
    Ask,
    Change,
    DeleteSchema,
    DeleteService,
    Existence,
    PatchDocument,
    PatchKind,
    PutDocument,
    PutSchema,
    Rollback,
    SetMeta,
)
from configsvc.service.editions import Editions, Editor, FingerprintCache, stored_value
from configsvc.service.effects import (
    deleted,
    exists,
    meta_edits,
    meta_set,
    removal_of_other,
    schema_changed,
    tag_of,
)
from configsvc.service.messages import default_subject, operation
from configsvc.service.rights import SchemaRights, right_for
from configsvc.service.staging import Staged
from configsvc.store.base import Entry, PlanAgain, Snapshot, View
from configsvc.validation.conformance import Rules, Sent, SentTexts, Sight
from configsvc.validation.schemas import REPOSITORY_FOLDER
from configsvc.validation.verdicts import JudgementPending

MAX_STAGED_BYTES = 128 << 20
"""Most bytes in the files of one commit: small patches may be of large documents."""


class Grounds(NamedTuple):
    """What every plan of a service stands on.

    Args:
        history: Returns the newest durable state, in which old versions are looked up.
        editor: Edits large texts.
    """

    bounds: Bounds
    fingerprints: FingerprintCache
    history: Callable[[], Snapshot]
    editor: Editor


class Planner:
    """Plans one write.

    Args:
        rules: Schemas' part of the gate; None judges by none.
        expected_revision: Of the state that the write must land on; None asks nothing.
    """

    def __init__(
        self,
        grounds: Grounds,
        changes: Sequence[Change],
        ask: Ask,
        rules: Rules | None,
        *,
        expected_revision: int | None = None,
    ) -> None:
        self._grounds = grounds
        self._changes = changes
        self._rules = rules
        self._expected_revision = expected_revision
        self._editions = [_editions(change, grounds) for change in changes]
        self._text = ask.commit_message
        self._is_single = len(changes) == 1
        self._admission = ask.admission

    def plan(self, view: View, may_wait: bool) -> Plan:
        """Return the edits, and the message they are committed with.

        Raises:
            PlanAgain: It would take long, and `may_wait` is false.
        """
        staged = self.stage(view, may_wait)
        subject = default_subject(self._changes, lambda service: exists(view.find(service)))
        trailers = {"Config-Operation": operation(self._changes)}
        return Plan(staged.edits, self._text or commit_message(subject), trailers)

    def stage(self, view: View, may_wait: bool) -> Staged:
        """Return the state that all changes lead to, allowed to the one who asks and accepted by the gate."""
        self._require_rights(view)
        if self._expected_revision is not None and view.revision != self._expected_revision:
            raise RevisionMismatch(
                f"revision: head is {view.revision} (expected: {self._expected_revision})",
                details=[{"revision": view.revision}],
            )
        staged = Staged(view)
        sent: dict[str, Sent | None] = {}
        for index, change in enumerate(self._changes):
            try:
                self._take(staged, index, sent, may_wait)
                _check_size(staged)
            except ConfigError as error:
                self._locate(error, index, change)
                raise
        self._judge(staged, sent, may_wait)
        return staged

    def _take(self, staged: Staged, index: int, sent: dict[str, Sent | None], may_wait: bool) -> None:
        change = self._changes[index]
        match change:
            case PutDocument():
                document = self._put(staged, change, index, may_wait)
                source = change.document.sent
                path = document_path(change.service, document.format)
                sent[path] = None if source is None else Sent(source, change.document.format)
            case PatchDocument():
                document = self._patched(staged, change, index, may_wait)
                sent[document_path(change.service, document.format)] = None
            case DeleteService():
                staged.stage(deleted(staged, change))
            case Rollback():
                self._roll_back(staged, change)
            case SetMeta():
                staged.stage(meta_set(staged, change))
            case PutSchema() | DeleteSchema():
                staged.stage(schema_changed(staged, change))
                if isinstance(change, PutSchema):
                    sent[f"{REPOSITORY_FOLDER}/{change.path}"] = Sent(change.data, Format.JSON)

    def _put(self, staged: Staged, change: PutDocument, index: int, may_wait: bool) -> Document:
        current = staged.entry(change.service)
        change.precondition.check(change.service, tag_of(current))
        if change.existence is Existence.ABSENT and exists(current):
            raise ServiceExists(f"service: {change.service!r} exists already")
        if change.existence is Existence.PRESENT and not exists(current):
            raise ServiceNotFound(f"service: {change.service!r} does not exist")
        document = change.document
        is_value = document.format is Format.JSON or document.sent is None
        if change.keep_format and is_value:
            document = self._edited(staged, current, index, may_wait) or document
        self._replace(staged, current, change.service, document)
        if change.enabled is not None:
            staged.stage(meta_edits(staged, change.service, SetMeta(change.service, change.enabled)))
        return document

    def _edited(self, staged: Staged, current: Entry | None, index: int, may_wait: bool) -> Document | None:
        """Return the edition of a YAML document that stands; None when none does, or it is broken."""
        if current is None or current.format is not Format.YAML or current.blob_id is None:
            return None
        try:
            return self._edition(staged, current, index, may_wait)
        except DocumentBroken:
            return None

    def _edition(self, staged: Staged, current: Entry, index: int, may_wait: bool) -> Document:
        assert current.format is not None
        assert current.blob_id is not None
        old = staged.base.read(document_path(current.service, current.format)) or b""
        editions = self._editions[index]
        assert editions is not None
        return editions.of(old, current.format, current.blob_id, may_wait=may_wait)

    def _patched(self, staged: Staged, change: PatchDocument, index: int, may_wait: bool) -> Document:
        current = staged.entry(change.service)
        change.precondition.check(change.service, tag_of(current))
        if current is None or current.deleted:
            raise ServiceNotFound(f"service: {change.service!r} does not exist")
        document = self._edition(staged, current, index, may_wait)
        staged.stage({document_path(change.service, document.format): document.data})
        return document

    def _roll_back(self, staged: Staged, change: Rollback) -> None:
        current = staged.entry(change.service)
        change.precondition.check(change.service, tag_of(current))
        if current is None:
            raise ServiceNotFound(f"service: {change.service!r} does not exist")
        snapshot = self._grounds.history()
        old = snapshot.entry(change.service, change.version)
        if old is None:
            raise VersionNotFound(
                f"version: {change.version} of {change.service} does not exist "
                f"(expected: 0 to {current.version})"
            )
        if old.format is None or old.blob_id is None:
            raise VersionDeleted(f"version: {change.version} of {change.service} is the mark of its deletion")
        data = snapshot.blob(old.blob_id)
        stored_value(data, old.format, self._grounds.bounds)
        staged.stage(
            removal_of_other(current, old.format) | {document_path(change.service, old.format): data}
        )

    def _replace(self, staged: Staged, current: Entry | None, service: str, document: Document) -> None:
        path = document_path(service, document.format)
        is_same = current is not None and current.format is document.format
        if current is not None and is_same and self._is_equal(staged, current, document):
            return
        staged.stage(removal_of_other(current, document.format) | {path: document.data})

    def _is_equal(self, staged: Staged, current: Entry, document: Document) -> bool:
        old = staged.base.read(document_path(current.service, document.format)) or b""
        if document.format is Format.YAML or old == document.data:
            return old == document.data
        fingerprints = self._grounds.fingerprints
        stored = fingerprints.of_stored(current.blob_id or "", old, self._grounds.bounds)
        return stored == fingerprints.of(document)

    def _judge(self, staged: Staged, sent: dict[str, Sent | None], may_wait: bool) -> None:
        if self._rules is None or not staged.edits:
            return
        # By the rights there are before the change, as for the change itself.
        sight = None if self._admission is None else SchemaRights(staged.base, self._admission)
        try:
            refuse_violations(self._rules, staged, sent, may_wait, sight)
        except SchemaViolated as error:
            error.details = tuple(map(self._indexed, error.details))
            raise

    def locate(self, error: PathConflict) -> None:
        """Make a conflict of paths, which the store has found, say which change of several it is about."""
        places = [str(detail.get("path")) for detail in error.details]
        for index, change in enumerate(self._changes):
            below = (path for path in _paths(change) if any(f"{path}/".startswith(f"{p}/") for p in places))
            if next(below, None) is not None:
                self._locate(error, index, change)
                return

    def _indexed(self, detail: Mapping[str, object]) -> Mapping[str, object]:
        """Return a finding with the change it is about when there are several."""
        for index, change in enumerate(self._changes if not self._is_single else ()):
            if detail.get("path") in _paths(change):
                return {**detail, "index": index}
        return detail

    def _require_rights(self, view: View) -> None:
        if self._admission is None:
            return
        for index, change in enumerate(self._changes):
            try:
                require_at(view, self._admission, *right_for(change))
            except ConfigError as error:
                self._locate(error, index, change)
                raise

    def _locate(self, error: ConfigError, index: int, change: Change) -> None:
        """Make an error say which change of several it is about."""
        if not self._is_single:
            where = {"index": index, **_subject(change)}
            details = error.details or ({"message": error.message},)
            error.details = tuple({**detail, **where} for detail in details)


def _check_size(staged: Staged) -> None:
    if staged.size > MAX_STAGED_BYTES:
        raise DocumentTooLarge(
            f"commit: files of more than {MAX_STAGED_BYTES} bytes in all (expected: several commits)"
        )


def refuse_violations(
    rules: Rules, staged: Staged, sent: SentTexts, may_wait: bool, sight: Sight | None = None
) -> None:
    """Raise unless all that was staged conforms to the schemas that govern it.

    Raises:
        SchemaViolated: It does not; `details` has every violation.
        PlanAgain: It would take long, and `may_wait` is false.
        SchemaTooSlow, Unavailable: It could not be judged.
    """
    try:
        violations = rules.violations(staged.edits, staged, sent=sent, sight=sight, may_wait=may_wait)
    except JudgementPending:
        raise PlanAgain from None
    if violations:
        rest = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        raise SchemaViolated(f"{violations[0]}{rest}", [each.as_json() for each in violations])


def _editions(change: Change, grounds: Grounds) -> Editions | None:
    bounds = grounds.bounds
    match change:
        case PutDocument(document=document):
            return Editions(lambda old: document.value, bounds, grounds.editor)
        case PatchDocument(patch=patch, kind=PatchKind.MERGE):
            return Editions(lambda old: merge_patch(old, patch, bounds=bounds), bounds, grounds.editor)
        case PatchDocument(patch=patch):
            return Editions(lambda old: apply_patch(old, patch, bounds=bounds), bounds, grounds.editor)
        case _:
            return None


def _paths(change: Change) -> tuple[str, ...]:
    if isinstance(change, PutSchema | DeleteSchema):
        return (f"{REPOSITORY_FOLDER}/{change.path}",)
    return tuple(document_path(change.service, format_) for format_ in Format)


def _subject(change: Change) -> dict[str, object]:
    if isinstance(change, PutSchema | DeleteSchema):
        return {"schema": change.path}
    return {"service": change.service}
