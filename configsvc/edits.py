"""`configsvc commit`: edits made by hand in the working tree, taken through the gate as one commit."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from configsvc.core.changes import Author, Outcome, Plan, commit_message
from configsvc.core.errors import Conflict, DocumentInvalid, ServiceEnabled
from configsvc.core.names import find_document, meta_path
from configsvc.core.trees import FILE, FOLDER, PathChange
from configsvc.documents.bounds import Bounds
from configsvc.documents.meta import parse_meta
from configsvc.service.landing import land
from configsvc.service.planning import refuse_violations
from configsvc.service.staging import Staged
from configsvc.store.base import Entry, View
from configsvc.store.edits import WorkingEdit, working_edits
from configsvc.store.gitstore import GitStore
from configsvc.validation.conformance import SchemaGate
from configsvc.validation.gate import judge_changes

MAX_FILE_BYTES = 8 << 20
"""Largest file of any kind that is taken, in bytes."""
CLOCK_GRAIN_S = 0.01
"""File times come from a clock that ticks, in seconds."""


def commit_edits(
    store: GitStore,
    *,
    author: Author,
    bounds: Bounds,
    gate: SchemaGate | None = None,
    message: str = "",
    paths: Sequence[str] = (),
    overwrite: bool = False,
) -> Outcome:
    """Land what was edited in the working tree as one commit; nothing edited changes nothing.

    Args:
        gate: Holds documents to schemas; None: they are held to none.
        paths: Only these files or folders; empty means all.
        overwrite: Take an edit that is older than the newest version of its service.

    Raises:
        DocumentInvalid, SchemaViolated: The gate refuses an edit; `details` has every violation.
        Conflict: An edited service got a newer version after the edit.
    """
    edits = working_edits(store.root, paths, max_bytes=MAX_FILE_BYTES)
    first, _, body = message.partition("\n")
    text = commit_message(first or _default_subject(edits), body)
    rules = None if gate is None else gate.rules()

    def plan(view: View, may_wait: bool) -> Plan:
        if not overwrite:
            _refuse_stale(store, view, edits)
        tree = EditedTree(view, edits)
        changes = [PathChange(edit.path, edit.mode, None) for edit in edits]
        violations = judge_changes(changes, tree, bounds=bounds)
        if violations:
            listed = "\n".join(f"  {violation}" for violation in violations)
            raise DocumentInvalid(
                f"the gate refuses {len(violations)} of these edits:\n{listed}",
                details=[violation.as_json() for violation in violations],
            )
        staged = Staged(view)
        staged.stage({edit.path: None if edit.mode is None else edit.content for edit in edits})
        staged.stage(_meta_of_deleted(view, staged.edits))
        if rules is not None:
            refuse_violations(rules, staged, {}, may_wait)
        return Plan(staged.edits, text, {"Config-Operation": "edit"})

    outcome = land(store, plan, author)
    store.flush()
    return outcome


class EditedTree:
    """The tree that a view and a person's edits lead to, as the gate reads it."""

    def __init__(self, view: View, edits: Sequence[WorkingEdit]) -> None:
        self._view = view
        self._edits = {edit.path: edit for edit in edits}

    def mode(self, path: str) -> int | None:
        """Return git's mode of what would stand at `path`, None when nothing would."""
        edit = self._edits.get(path)
        if edit is not None and edit.mode is not None:
            return edit.mode
        if self.names(path):
            return FOLDER
        return FILE if edit is None and self._view.read(path) is not None else None

    def names(self, folder: str) -> Collection[str]:
        """Return the names that would be in a folder; "" is the root."""
        prefix = f"{folder}/" if folder else ""
        names = set(self._view.names(folder))
        for edit in self._edits.values():
            if edit.path.startswith(prefix):
                name = edit.path[len(prefix) :].partition("/")[0]
                if edit.mode is not None:
                    names.add(name)
                elif prefix + name == edit.path:
                    names.discard(name)
        return names

    def size(self, path: str) -> int:
        """Return the size in bytes of the file at `path`."""
        return len(self.read(path))

    def read(self, path: str) -> bytes:
        """Return the bytes of the file at `path`."""
        edit = self._edits.get(path)
        return edit.content if edit is not None else self._view.read(path) or b""


def _meta_of_deleted(view: View, content: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Return the removal of the meta files of the services that go; refuse those that are enabled."""
    documents = {path: find_document(path) for path in content}
    kept = {found.service for path, found in documents.items() if found and content[path] is not None}
    gone = {found.service for path, found in documents.items() if found and content[path] is None} - kept
    removed: dict[str, bytes | None] = {}
    for service in sorted(gone):
        meta = view.read(meta_path(service))
        if parse_meta(meta).enabled:
            raise ServiceEnabled(f"service: {service!r} is enabled (expected: disabled before it is deleted)")
        removed[meta_path(service)] = None
    return removed


def _refuse_stale(store: GitStore, view: View, edits: Sequence[WorkingEdit]) -> None:
    """Raise `Conflict` for edits that would take back a version their editor never saw."""
    stale = []
    for edit in edits:
        document = find_document(edit.path)
        entry = None if document is None else view.find(document.service)
        if entry is not None and edit.changed_at < _landing_time(store, edit.path, entry) - CLOCK_GRAIN_S:
            stale.append(f"{edit.path}: edited before version {entry.version} of {entry.service} landed")
    if stale:
        raise Conflict(
            "; ".join(stale) + " (expected: an edit of the newest version; compare with `git diff`, "
            "take over what is new, save the file again, or pass --overwrite)"
        )


def _landing_time(store: GitStore, path: str, entry: Entry) -> float:
    landed_at = store.landed_at(path)
    if landed_at is not None:
        return landed_at
    snapshot = store.snapshot()
    # Ahead of what is published: it lands at this moment.
    return (
        snapshot.record(entry.revision).committed_at if entry.revision <= snapshot.revision else time.time()
    )


def _default_subject(edits: Sequence[WorkingEdit]) -> str:
    if len(edits) == 1:
        return f"{'Delete' if edits[0].mode is None else 'Edit'} {edits[0].path}"
    return f"Edit {len(edits)} files by hand"
