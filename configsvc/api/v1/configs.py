"""`/api/v1/configs/{service}`: read, write, patch and delete one document."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.api.asks import read_ask
from configsvc.api.bodies import read_body, read_document
from configsvc.api.conditional import document_tag_of, is_known, write_precondition
from configsvc.api.guard import admit_again, require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import answer, not_modified, previewed, read_answer, to_json, written
from configsvc.api.v1.bodies import JSON_PATCH, MERGE_PATCH, media_type_of, read_json
from configsvc.api.v1.negotiation import JSON, MEDIA_TYPES, choose
from configsvc.api.v1.paths import PREFIX
from configsvc.api.v1.sight import sees_everything
from configsvc.api.v1.waiting import MAX_WAIT_S, ThreadedWaits
from configsvc.core.errors import RequestInvalid, RevisionUnreached, ServiceNotFound
from configsvc.core.names import Format, parse_service
from configsvc.core.tags import document_tag, parse_precondition
from configsvc.documents.document import Document
from configsvc.documents.pointer import value_at
from configsvc.documents.rendering import render_value
from configsvc.documents.source import check_size
from configsvc.service import ConfigService
from configsvc.service.changes import Change, DeleteService, PatchDocument, PatchKind, PutDocument
from configsvc.service.lookups import commit_not_found, find_revision
from configsvc.store.base import Entry, Snapshot

PATCH_KINDS = {MERGE_PATCH: PatchKind.MERGE, JSON_PATCH: PatchKind.JSON}

_WRITE_PARAMETERS = ("message", "dry_run")


class ConfigsApi:
    """The verbs of one document."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service
        self._waits = ThreadedWaits(service)

    def get(self, service: str) -> Response:
        """Answer a document, or one value of it."""
        query = Query(request.query_string, ("version", "at", "pointer", "min_revision", "wait"))
        seconds = query.integer("wait", 0, MAX_WAIT_S)
        if not seconds or request.headers.get("If-None-Match", "*").strip() == "*":
            return self._read(service, query)  # no version is named that there could be another one than
        for name in ("version", "at", "pointer"):
            if query.find(name) is not None:
                raise RequestInvalid(f"wait: is given with {name} (expected: without)")
        return self._waits.answer(service, seconds, lambda: self._read(service, query))

    def _read(self, service: str, query: Query) -> Response:
        admit_again()
        require(Action.READ, parse_service(service))
        snapshot = self._service.snapshot()
        _check_reached(snapshot, query.integer("min_revision"))
        entry = self._entry(snapshot, service, query)
        parse_precondition(request.headers.get("If-Match"), None).check(service, document_tag_of(entry))
        pointer = query.find("pointer")
        response = (
            self._document(snapshot, entry) if pointer is None else self._value(snapshot, entry, pointer)
        )
        response.headers["Vary"] = "Accept"
        return response

    def put(self, service: str) -> Response:
        """Create or replace a document."""
        query = Query(request.query_string, ("format", *_WRITE_PARAMETERS))
        require(Action.WRITE, parse_service(service))
        wanted = _format(query)
        document = read_document(request, self._body(), self._service)
        if wanted not in (None, document.format):
            document = self._converted(document, wanted)
        # YAML that was made of JSON has no comments to bring: it is an edit of YAML that has.
        keeps = wanted is None or (wanted is Format.YAML and document.sent is None)
        change = PutDocument(service, document, write_precondition(), keep_format=keeps)
        response = self._written(change, query)
        if response.status_code == 201:
            response.headers["Location"] = f"{PREFIX}/configs/{service}"  # a name needs no escapes in a path
        return response

    def patch(self, service: str) -> Response:
        """Change part of a document."""
        query = Query(request.query_string, _WRITE_PARAMETERS)
        require(Action.WRITE, parse_service(service))
        kind = PATCH_KINDS[media_type_of(PATCH_KINDS)]
        patch = read_json(PATCH_KINDS, self._service.bounds)[1]
        return self._written(PatchDocument(service, patch, kind, write_precondition()), query)

    def delete(self, service: str) -> Response:
        """Delete a service that is not enabled."""
        query = Query(request.query_string, _WRITE_PARAMETERS)
        require(Action.WRITE, parse_service(service))
        ask = read_ask(query)
        receipt = self._service.commit([DeleteService(service, write_precondition())], ask=ask)
        if ask.dry_run:
            return previewed(receipt)
        outcome, entry = receipt.outcome, receipt.entry(service)
        told = {
            "service": service,
            "version": entry.version,
            "revision": outcome.revision,
            "commit_id": outcome.commit_id,
            "deleted": True,
            "changed": outcome.changed,
        }
        return answer(to_json(told), JSON, outcome.revision, version=entry.version)

    def _entry(self, snapshot: Snapshot, service: str, query: Query) -> Entry:
        version, at = query.version(), query.find("at")
        if at is None:
            return self._service.find_entry(snapshot, service, version)
        if version is not None:
            raise RequestInvalid("version: is given with at (expected: one of them)")
        try:
            return self._service.find_entry_at(snapshot, service, find_revision(snapshot, at))
        except ServiceNotFound:
            if sees_everything():
                raise
            raise commit_not_found(at) from None  # else it tells that there is such a commit, and its number

    def _document(self, snapshot: Snapshot, entry: Entry) -> Response:
        stored = entry.format
        assert stored is not None
        assert entry.blob_id is not None
        chosen = choose([MEDIA_TYPES[stored], *(MEDIA_TYPES[each] for each in Format if each is not stored)])
        format_ = next(each for each in Format if MEDIA_TYPES[each] == chosen)
        tag = document_tag(entry.version, entry.blob_id, format_.value)
        if is_known(tag):
            return not_modified(tag, snapshot.revision, version=entry.version)
        if format_ is stored:
            body = self._service.document(snapshot, entry)
        else:
            body = render_value(self._service.value(snapshot, entry), format_)
        return answer(body, chosen, snapshot.revision, tag=tag, version=entry.version)

    def _value(self, snapshot: Snapshot, entry: Entry, pointer: str) -> Response:
        choose([JSON])
        found = value_at(self._service.value(snapshot, entry), pointer)
        return read_answer(to_json(found), JSON, snapshot.revision, version=entry.version)

    def _body(self) -> bytes:
        return read_body(request, self._service.bounds.max_bytes)

    def _converted(self, document: Document, format_: Format | None) -> Document:
        assert format_ is not None
        data = render_value(document.value, format_)
        check_size(len(data), bounds=self._service.bounds)
        return replace(document, format=format_, data=data, sent=None)

    def _written(self, change: Change, query: Query) -> Response:
        ask = read_ask(query)
        receipt = self._service.commit([change], ask=ask)
        assert isinstance(change, PutDocument | PatchDocument)
        return previewed(receipt) if ask.dry_run else written(receipt, change.service)


def _check_reached(snapshot: Snapshot, revision: int | None) -> None:
    if revision is not None and snapshot.revision < revision:
        raise RevisionUnreached(
            f"revision: head is {snapshot.revision} (min_revision expected {revision} or later)",
            details=[{"revision": snapshot.revision}],
        )


def _format(query: Query) -> Format | None:
    text = query.find("format")
    if text is None:
        return None
    if text not in {each.value for each in Format}:
        raise RequestInvalid(f"format: {text[:40]!a} (expected: json or yaml)")
    return Format(text)
