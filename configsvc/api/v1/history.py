"""What was: the versions of a service, what differs between two, and the way back to one."""

from __future__ import annotations

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.api.asks import read_ask
from configsvc.api.conditional import stored_tag, write_precondition
from configsvc.api.guard import require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import page_of, previewed, read_answer, to_json, utc_text, written
from configsvc.api.v1.bodies import check_known, integer_member, needed, read_members
from configsvc.api.v1.cursors import make_cursor, read_number
from configsvc.api.v1.listing import page_size
from configsvc.api.v1.negotiation import DIFF, JSON, JSON_PATCH, choose
from configsvc.api.v1.sight import shown_message
from configsvc.core.errors import RequestInvalid, ServiceNotFound, VersionNotFound
from configsvc.core.names import document_path, parse_service
from configsvc.documents.difference import difference
from configsvc.documents.textdiff import unified_diff
from configsvc.service import ConfigService
from configsvc.service.changes import Rollback
from configsvc.store.base import Entry, Snapshot

_KIND = "versions"
_NOTHING: dict[str, object] = {}


class HistoryApi:
    """What belongs to the history of one service."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def list_versions(self, service: str) -> Response:
        """Answer a page of versions, newest first."""
        query = Query(request.query_string, ("limit", "cursor"))
        limit = page_size(query)
        require(Action.READ, parse_service(service))
        snapshot = self._service.snapshot()
        entries = snapshot.entries(service)
        end = min(read_number(_KIND, query.find("cursor"), len(entries)), len(entries))
        _newest(snapshot, service)
        shown = entries[max(0, end - limit) : end]
        following = make_cursor(_KIND, shown[0].version) if shown and shown[0].version else None
        items = [_version(snapshot, entry) for entry in reversed(shown)]
        body = page_of({"service": service, "revision": snapshot.revision}, items, following)
        return read_answer(body, JSON, snapshot.revision)

    def get_version(self, service: str, version: int) -> Response:
        """Answer what made one version; marks of deletion have one too."""
        Query(request.query_string, ())
        require(Action.READ, parse_service(service))
        snapshot = self._service.snapshot()
        entry = _entry(snapshot, service, version)
        return read_answer(to_json(_version(snapshot, entry)), JSON, snapshot.revision)

    def get_diff(self, service: str) -> Response:
        """Answer what differs between two versions, as text or as JSON Patch."""
        query = Query(request.query_string, ("from", "to"))
        require(Action.READ, parse_service(service))
        snapshot = self._service.snapshot()
        media_type = choose([DIFF, JSON_PATCH])
        last = query.integer("to")
        new = _newest(snapshot, service) if last is None else _entry(snapshot, service, last)
        first = query.integer("from")
        old = _entry(snapshot, service, first) if first is not None else _before(snapshot, new)
        if media_type == DIFF:
            body = self._text(snapshot, old, new).encode()
            response = read_answer(body, f"{DIFF}; charset=utf-8", snapshot.revision)
        else:
            before = _NOTHING if old is None else self._service.value(snapshot, old)
            body = to_json(difference(before, self._service.value(snapshot, new)))
            response = read_answer(body, JSON_PATCH, snapshot.revision)
        response.headers["Vary"] = "Accept"
        return response

    def roll_back(self, service: str) -> Response:
        """Make an old version the newest again."""
        query = Query(request.query_string, ("message", "dry_run"))
        require(Action.WRITE, parse_service(service))
        members = read_members()
        check_known(members, ("version",))
        version = needed("version", integer_member(members, "version"))
        ask = read_ask(query)
        receipt = self._service.commit([Rollback(service, version, write_precondition())], ask=ask)
        return previewed(receipt) if ask.dry_run else written(receipt, service, is_creation=False)

    def _text(self, snapshot: Snapshot, old: Entry | None, new: Entry) -> str:
        """Return the unified diff; of two formats, that the one file went and the other came."""
        if old is None or old.format is None or new.format in (None, old.format):
            known = new if new.format is not None else old
            return "" if known is None else self._one_file(snapshot, old, new, known)
        return self._one_file(snapshot, old, None, old) + self._one_file(snapshot, None, new, new)

    def _one_file(self, snapshot: Snapshot, old: Entry | None, new: Entry | None, named: Entry) -> str:
        if named.format is None:
            return ""
        path = document_path(named.service, named.format)
        return unified_diff(path, self._data(snapshot, old), self._data(snapshot, new))

    def _data(self, snapshot: Snapshot, entry: Entry | None) -> bytes | None:
        return None if entry is None or entry.deleted else self._service.document(snapshot, entry)


def _newest(snapshot: Snapshot, service: str) -> Entry:
    newest = snapshot.find(service)
    if newest is None:
        raise ServiceNotFound(f"service: {service!r} does not exist")
    return newest


def _entry(snapshot: Snapshot, service: str, version: int) -> Entry:
    newest = _newest(snapshot, service)
    entry = snapshot.entry(service, version)
    if entry is None:
        raise VersionNotFound(
            f"version: {version} of {service} does not exist (expected: 0 to {newest.version})"
        )
    return entry


def _before(snapshot: Snapshot, entry: Entry) -> Entry | None:
    return snapshot.entry(entry.service, entry.version - 1) if entry.version else None


def _version(snapshot: Snapshot, entry: Entry) -> dict[str, object]:
    commit = snapshot.commit(entry.revision)
    return {
        "service": entry.service,
        "version": entry.version,
        "revision": entry.revision,
        "commit_id": commit.commit_id,
        "author": commit.author,
        "committed_at": utc_text(commit.committed_at),
        "message": shown_message(snapshot, commit),
        "deleted": entry.deleted,
        "format": None if entry.format is None else entry.format.value,
        "etag": stored_tag(entry),
    }


def parse_version(text: str) -> int:
    """Return the version that a path names."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and str(int(text)) == text):
        raise RequestInvalid(f"version: {text[:40]!a} (expected: an integer from 0)")
    return int(text)
