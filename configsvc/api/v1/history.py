"""What was: the versions of a service, what differs between two, and the way back to one."""

from __future__ import annotations

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.api.asks import read_ask
from configsvc.api.conditional import stored_tag, write_precondition
from configsvc.api.guard import comparing, require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import page_of, previewed, read_answer, to_json, utc_text, written
from configsvc.api.v1.bodies import check_known, integer_member, needed, read_members
from configsvc.api.v1.cursors import make_cursor, read_number
from configsvc.api.v1.listing import page_size
from configsvc.api.v1.negotiation import DIFF, JSON, JSON_PATCH, choose
from configsvc.api.v1.sight import shown_message
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service
from configsvc.service import ConfigService
from configsvc.service.changes import Rollback
from configsvc.service.lookups import Comparison, any_entry, newest_entry
from configsvc.store.base import Entry, Snapshot

_KIND = "versions"


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
        newest_entry(snapshot, service)
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
        entry = any_entry(snapshot, service, version)
        return read_answer(to_json(_version(snapshot, entry)), JSON, snapshot.revision)

    def get_diff(self, service: str) -> Response:
        """Answer what differs between two versions, as text or as JSON Patch."""
        query = Query(request.query_string, ("from", "to"))
        require(Action.READ, parse_service(service))
        snapshot = self._service.snapshot()
        media_type = choose([DIFF, JSON_PATCH])
        ends = query.integer("from"), query.integer("to")
        compared = Comparison(self._service, snapshot, service, *ends)
        if media_type == DIFF:
            with comparing():
                body = compared.text().encode()
            response = read_answer(body, f"{DIFF}; charset=utf-8", snapshot.revision)
        else:
            with comparing():
                body = to_json(compared.operations())
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
