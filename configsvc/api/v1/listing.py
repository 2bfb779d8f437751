"""`GET /api/v1/configs`: the services, page by page."""

from __future__ import annotations

from collections.abc import Iterable
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


class NamePage:
    """Which page of a list of names is asked for.

    Args:
        kind: Of the list, for its cursors.
        query: `limit` and `cursor` are read from it.

    Raises:
        RequestInvalid: One of them is none.
    """

    def __init__(self, kind: str, query: Query) -> None:
        self._kind = kind
        self._limit = page_size(query)
        self.after = read_name(kind, query.find("cursor"))

    def take(self, names: Iterable[str]) -> tuple[list[str], str | None]:
        """Return the names on the page, and the cursor to the next page; None at the end.

        Args:
            names: Those that come after `after`, sorted.
        """
        found = list(islice(names, self._limit + 1))
        is_last = len(found) <= self._limit
        return found[: self._limit], None if is_last else make_cursor(self._kind, found[self._limit - 1])


class ListingApi:
    """The list of services."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def get(self) -> Response:
        """Answer a page of services, in the order of their names."""
        query = Query(request.query_string, ("prefix", "limit", "cursor"))
        page = NamePage(_KIND, query)
        snapshot = self._service.snapshot()
        services = snapshot.services(_prefix(query), page.after)
        names, following = page.take(services if sees_everything() else filter(sees, services))
        entries = map(snapshot.find, names)
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
