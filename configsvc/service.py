"""The one write path and the reads: what the doors (API, git, console) call.

    request -> parse (documents) -> plan (here) -> store.submit -> Outcome

A plan is a pure function of the state it lands on, so the store can make it
again when another write came in between.  Plain Python: no HTTP, no git.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from enum import Enum

from configsvc.core.changes import ANONYMOUS, Author, Outcome, Plan, commit_message, is_request_id
from configsvc.core.errors import (
    DocumentInvalid,
    OutcomeUnknown,
    RequestInvalid,
    ServiceEnabled,
    ServiceExists,
    ServiceNotFound,
    VersionDeleted,
    VersionNotFound,
)
from configsvc.core.names import Format, document_path, meta_path, parse_service
from configsvc.core.tags import ALWAYS, BLOB_CHARS, DocumentTag, Precondition
from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.document import Document, fingerprint, parse_document, read_document
from configsvc.documents.edit import edit_document
from configsvc.documents.meta import Meta, edit_meta, parse_meta
from configsvc.store.base import ConfigStore, Entry, Snapshot, StoreStatus, View, Write
from configsvc.store.objects import object_id

_NO_VALUE = b""
WRITE_TIMEOUT_S = 60.0
"""Longest a request waits for its write, in seconds."""


class Existence(Enum):
    """What a write of a document expects of its service."""

    ABSENT = "absent"
    PRESENT = "present"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Ask:
    """What every write may say besides its content.

    Args:
        author: Who asks; the author of the commit.
        precondition: Compare-and-set.
        message: Commit message; empty for a default that names the change.
        request_id: Makes a repeat happen once; see `is_request_id`.
    """

    author: Author = ANONYMOUS
    precondition: Precondition = ALWAYS
    message: str = ""
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write that is durable, and the state right after it.

    Args:
        entry: Newest version of the service at `outcome.revision`.
        snapshot: A state that contains the write.
    """

    outcome: Outcome
    entry: Entry
    snapshot: Snapshot


class ConfigService:
    """Reads and writes of configuration over one store.  Thread-safe."""

    def __init__(self, store: ConfigStore, *, bounds: Bounds = DEFAULT_BOUNDS) -> None:
        self.bounds = bounds
        self._store = store
        self._fingerprints = FingerprintCache()

    def snapshot(self) -> Snapshot:
        """Return the newest durable state."""
        return self._store.snapshot()

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

    def value(self, snapshot: Snapshot, entry: Entry) -> dict[str, object]:
        """Return what the document of `entry` parses to."""
        if entry.format is None or entry.blob_id is None:
            raise VersionDeleted(f"version: {entry.version} of {entry.service} is the mark of its deletion")
        return parse_document(snapshot.blob(entry.blob_id), entry.format, bounds=self.bounds)

    def meta(self, view: View, service: str) -> Meta:
        """Return enabled, owner and description of `service`; the defaults when it has no valid file."""
        return _read_meta(view, service)[1]

    def put(
        self,
        service: str,
        document: Document,
        *,
        ask: Ask = Ask(),
        existence: Existence = Existence.EITHER,
        enabled: bool | None = None,
        keep_format: bool = False,
    ) -> Receipt:
        """Create or replace a service's document; an equal value and format changes nothing.

        Args:
            enabled: Set the flag in the same commit; None leaves it.
            keep_format: A JSON document edits a YAML one that stands there, instead of replacing it.

        Raises:
            EditTooLarge: `keep_format` would have to edit a YAML document that is too large for it.
            ServiceExists, ServiceNotFound: `existence` does not hold.
            PreconditionFailed: `ask.precondition` does not hold.
        """
        parse_service(service)
        edition = _Edition(document, self.bounds)

        def plan(view: View) -> Plan:
            current = view.find(service)
            exists = current is not None and not current.deleted
            ask.precondition.check(service, _tag(current))
            if existence is Existence.ABSENT and exists:
                raise ServiceExists(f"service: {service!r} exists already")
            if existence is Existence.PRESENT and not exists:
                raise ServiceNotFound(f"service: {service!r} does not exist")
            wanted = edition.of(view, current) if keep_format else document
            edits = self._document_edits(view, current, wanted, service)
            if enabled is not None:
                edits |= _meta_edits(view, service, enabled)
            verb = "Update" if exists else "Create"
            return Plan(edits, _message(ask, f"{verb} {service}"))

        asked = (existence.value, document.format.value, document.data, enabled, keep_format)
        return self._write(service, plan, ask, "put", *asked)

    def set_enabled(self, service: str, enabled: bool, *, ask: Ask = Ask()) -> Receipt:
        """Set the flag that guards a service against deletion; no version is made.

        Raises:
            ServiceNotFound: There is no such service.
            PreconditionFailed: `ask.precondition` does not hold.
        """
        parse_service(service)

        def plan(view: View) -> Plan:
            current = view.find(service)
            ask.precondition.check(service, _tag(current))
            if current is None or current.deleted:
                raise ServiceNotFound(f"service: {service!r} does not exist")
            verb = "Enable" if enabled else "Disable"
            return Plan(_meta_edits(view, service, enabled), _message(ask, f"{verb} {service}"))

        return self._write(service, plan, ask, "meta", enabled)

    def delete(self, service: str, *, ask: Ask = Ask()) -> Receipt:
        """Delete a disabled service and its `.configsvc/services` file in one commit.

        Raises:
            ServiceNotFound: There is no such service.
            ServiceEnabled: It is enabled.
            PreconditionFailed: `ask.precondition` does not hold.
        """
        parse_service(service)

        def plan(view: View) -> Plan:
            current = view.find(service)
            ask.precondition.check(service, _tag(current))
            if current is None or current.format is None:
                raise ServiceNotFound(f"service: {service!r} does not exist")
            if self.meta(view, service).enabled:
                raise ServiceEnabled(
                    f"service: {service!r} is enabled (expected: disabled before it is deleted)"
                )
            edits: dict[str, bytes | None] = {document_path(service, current.format): None}
            if view.read(meta_path(service)) is not None:
                edits[meta_path(service)] = None
            return Plan(edits, _message(ask, f"Delete {service}"))

        return self._write(service, plan, ask, "delete")

    def _document_edits(
        self, view: View, current: Entry | None, document: Document, service: str
    ) -> dict[str, bytes | None]:
        path = document_path(service, document.format)
        if current is None or current.format is None or current.blob_id is None:
            return {path: document.data}
        if current.format is not document.format:
            return {document_path(service, current.format): None, path: document.data}
        if document.format is Format.YAML:
            unchanged = view.read(path) == document.data
        else:
            unchanged = self._stored_fingerprint(current.blob_id, view, path) == self._fingerprint(document)
        return {} if unchanged else {path: document.data}

    def _fingerprint(self, document: Document) -> bytes:
        blob_id = object_id("blob", document.data).hex()
        return self._fingerprints.get(blob_id, lambda: fingerprint(document.value))

    def _stored_fingerprint(self, blob_id: str, view: View, path: str) -> bytes:
        def parse() -> bytes:
            try:
                return fingerprint(parse_document(view.read(path) or b"", Format.JSON, bounds=self.bounds))
            except DocumentInvalid:
                return _NO_VALUE  # committed by hand before the gate: equal to nothing, so it can be replaced

        return self._fingerprints.get(blob_id, parse)

    def _write(self, service: str, plan: Callable[[View], Plan], ask: Ask, *asked: object) -> Receipt:
        if ask.request_id is not None and not is_request_id(ask.request_id):
            raise RequestInvalid(
                f"request id: {ask.request_id[:80]!r} (expected: 1 to 128 of A-Z a-z 0-9 . _ ~ : / + = -)"
            )
        digest = hashlib.sha256(repr((service, *asked)).encode()).hexdigest()
        future = self._store.submit(Write(plan, ask.author, ask.request_id, digest))
        try:
            outcome = future.result(timeout=WRITE_TIMEOUT_S)
        except FutureTimeoutError:
            raise OutcomeUnknown(
                f"write: no outcome within {WRITE_TIMEOUT_S:.0f} s; it may still land "
                "(repeat it with its request id)"
            ) from None
        snapshot = self._store.snapshot()
        return Receipt(outcome, _entry_at(snapshot, service, outcome), snapshot)


class FingerprintCache:
    """The newest fingerprints by blob id, so that a plan made again under contention parses nothing."""

    def __init__(self, max_entries: int = 8192) -> None:
        self._max_entries = max_entries
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()  # guards the mapping above

    def get(self, blob_id: str, compute: Callable[[], bytes]) -> bytes:
        """Return the fingerprint of a blob, computed when it is not known."""
        with self._lock:
            known = self._known.get(blob_id)
        if known is not None:
            return known
        computed = compute()
        with self._lock:
            self._known[blob_id] = computed
            if len(self._known) > self._max_entries:
                self._known.popitem(last=False)
        return computed


class _Edition:
    """A document in the format of the one that stands there: JSON becomes an edit of YAML.

    Edits are remembered by blob id: one can take a second, and the writer's thread, which
    makes a plan again under contention, should not.
    """

    def __init__(self, document: Document, bounds: Bounds) -> None:
        self._document = document
        self._bounds = bounds
        self._made: dict[str, Document] = {}

    def of(self, view: View, current: Entry | None) -> Document:
        """Return the document to store instead of `current`."""
        if self._document.format is not Format.JSON or current is None:
            return self._document
        if current.format is not Format.YAML or current.blob_id is None:
            return self._document
        if current.blob_id not in self._made:
            old = view.read(document_path(current.service, Format.YAML)) or b""
            data = edit_document(old, Format.YAML, self._document.value, bounds=self._bounds)
            self._made[current.blob_id] = Document(Format.YAML, data, self._document.value)
        return self._made[current.blob_id]


def _meta_edits(view: View, service: str, enabled: bool) -> dict[str, bytes | None]:
    old, meta = _read_meta(view, service)
    if meta.enabled is enabled:
        return {}
    return {meta_path(service): edit_meta(old, replace(meta, enabled=enabled))}


def _read_meta(view: View, service: str) -> tuple[bytes | None, Meta]:
    """Return a service's meta file and what it says; a file that was broken by hand counts as none."""
    data = view.read(meta_path(service))
    try:
        return data, parse_meta(data)
    except DocumentInvalid:
        return None, Meta()


def _message(ask: Ask, subject: str) -> str:
    first, _, body = ask.message.partition("\n")
    return commit_message(first or subject, body)


def _tag(entry: Entry | None) -> DocumentTag | None:
    if entry is None or entry.blob_id is None:
        return None
    return DocumentTag(entry.version, entry.blob_id[:BLOB_CHARS])


def _entry_at(snapshot: Snapshot, service: str, outcome: Outcome) -> Entry:
    """Return the newest version of `service` at the outcome's revision."""
    for entry in reversed(snapshot.entries(service)):
        if entry.revision <= outcome.revision:
            return entry
    raise ServiceNotFound(f"service: {service!r} does not exist")
