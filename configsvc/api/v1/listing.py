"""`GET /api/v1/configs`: the services, page by page."""

from __future__ import annotations

from itertools import islice

from flask import Response, request

from configsvc.api.conditional import stored_tag
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import page_of, read_answer, utc_text
from configsvc.api.v1.cursors import make_cursor, read_name
from configsvc.api.v1.negotiation import JSON
from configsvc.api.v1.sight import sees, sees_everything
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import MAX_NAME_CHARS
from configsvc.service import ConfigService
from configsvc.store.base import Entry, Snapshot

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
"""Most items of a page."""

_KIND = "configs"


def page_size(query: Query) -> int:
    """Return how many items a page may have."""
    return query.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT


class ListingApi:
    """The list of services."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def get(self) -> Response:
        """Answer a page of services, in the order of their names."""
        query = Query(request.query_string, ("prefix", "limit", "cursor"))
        limit, after = page_size(query), read_name(_KIND, query.find("cursor"))
        snapshot = self._service.snapshot()
        services = snapshot.services(_prefix(query), after)
        names = list(islice(services if sees_everything() else filter(sees, services), limit + 1))
        following = make_cursor(_KIND, names[limit - 1]) if len(names) > limit else None
        entries = (snapshot.find(name) for name in names[:limit])
        items = [self._item(snapshot, entry) for entry in entries if entry is not None]
        body = page_of({"revision": snapshot.revision}, items, following)
        return read_answer(body, JSON, snapshot.revision)

    def _item(self, snapshot: Snapshot, entry: Entry) -> dict[str, object]:
        commit = snapshot.record(entry.revision)
        return {
            "service": entry.service,
            "version": entry.version,
            "revision": entry.revision,
            "etag": stored_tag(entry),
            "format": None if entry.format is None else entry.format.value,
            "enabled": self._service.meta(snapshot, entry.service).enabled,
            "changed_at": utc_text(commit.committed_at),
            "author": commit.author,
        }


def _prefix(query: Query) -> str:
    prefix = query.find("prefix") or ""
    if len(prefix) > MAX_NAME_CHARS:
        raise RequestInvalid(f"prefix: {len(prefix)} characters (expected: <= {MAX_NAME_CHARS})")
    return prefix
