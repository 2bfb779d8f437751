"""`/api/v1/commits`: the history of the repository, and many changes in one commit."""

from __future__ import annotations

from flask import Response, request

from configsvc.api.asks import read_ask
from configsvc.api.conditional import stored_tag
from configsvc.api.guard import require_writer
from configsvc.api.parameters import MAX_MESSAGE_CHARS, Query
from configsvc.api.v1.answers import (
    answer,
    entry_as_json,
    page_of,
    previewed,
    read_answer,
    to_json,
    utc_text,
)
from configsvc.api.v1.bodies import as_members, check_known, integer_member, read_json, text_member
from configsvc.api.v1.budgets import commit_nodes
from configsvc.api.v1.changes import MAX_CHANGES, read_changes
from configsvc.api.v1.cursors import make_cursor, read_number
from configsvc.api.v1.listing import page_size
from configsvc.api.v1.negotiation import JSON
from configsvc.api.v1.sight import sees_commit, sees_everything, shown_entries, shown_message
from configsvc.core.changes import ServiceVersion
from configsvc.core.errors import DocumentTooLarge, RequestInvalid
from configsvc.documents.bounds import Bounds
from configsvc.documents.members import member_texts
from configsvc.service import ConfigService, Receipt
from configsvc.service.lookups import commit_not_found, find_revision
from configsvc.settings import MAX_COMMIT_BYTES
from configsvc.store.base import Snapshot

MAX_LOOKED_AT = 1000
"""Most commits that are looked at for a page of those that a client may see; the cursor goes on."""

_KIND = "commits"
_MEMBERS = ("message", "expected_revision", "changes")
_DEPTH_AROUND = 4
"""Containers that a value in the body of a commit stands in, and one to spare."""
_NODES_AROUND = 32 * MAX_CHANGES
"""Nodes of the changes themselves, and some to spare."""


class CommitsApi:
    """Reads the history of the repository, and adds to it."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def list_commits(self) -> Response:
        """Answer a page of commits, newest first."""
        query = Query(request.query_string, ("limit", "cursor"))
        limit = page_size(query)
        snapshot = self._service.snapshot()
        before = min(read_number(_KIND, query.find("cursor"), snapshot.revision + 1), snapshot.revision + 1)
        shown, last = _page(snapshot, before, limit)
        items = [_commit(snapshot, revision) for revision in shown]
        following = make_cursor(_KIND, last) if last > 1 else None
        body = page_of({"revision": snapshot.revision}, items, following)
        return read_answer(body, JSON, snapshot.revision)

    def get(self, commit_id: str) -> Response:
        """Answer one commit."""
        Query(request.query_string, ())
        snapshot = self._service.snapshot()
        revision = find_revision(snapshot, commit_id)
        if not sees_commit(snapshot, revision):
            raise commit_not_found(commit_id)
        return read_answer(to_json(_commit(snapshot, revision)), JSON, snapshot.revision)

    def post(self) -> Response:
        """Land many changes, all or nothing."""
        query = Query(request.query_string, ("dry_run",))
        require_writer()
        data, value = read_json((JSON,), _bounds(self._service.bounds), too_many=DocumentTooLarge)
        members = as_members("body", value)
        check_known(members, _MEMBERS)
        ask = read_ask(query, message=_message(members))
        expected = integer_member(members, "expected_revision")
        text = member_texts(data.decode()).get("changes", "")
        if not text:
            raise RequestInvalid("changes: is missing (expected: a list of changes)")
        changes = read_changes(text, members["changes"], self._service)
        receipt = self._service.commit(changes, ask=ask, expected_revision=expected)
        return previewed(receipt) if ask.dry_run else _committed(receipt)


def _page(snapshot: Snapshot, before: int, limit: int) -> tuple[list[int], int]:
    """Return the revisions of a page, newest first, and the last that was looked at for it."""
    if sees_everything():
        last = max(1, before - limit)
        return list(range(before - 1, last - 1, -1)), last
    shown: list[int] = []
    revision = before
    for revision in range(before - 1, max(1, before - MAX_LOOKED_AT) - 1, -1):
        if sees_commit(snapshot, revision):
            shown.append(revision)
        if len(shown) == limit:
            break
    return shown, max(1, revision)


def _bounds(document: Bounds) -> Bounds:
    """Return the bounds of a whole body; each document in it, and all of them, have their own besides."""
    return Bounds(
        max_bytes=max(MAX_COMMIT_BYTES, document.max_bytes),
        max_depth=document.max_depth + _DEPTH_AROUND,
        max_nodes=commit_nodes(document.max_nodes) + _NODES_AROUND,
    )


def _message(members: dict[str, object]) -> str:
    text = text_member(members, "message") or ""
    if len(text) > MAX_MESSAGE_CHARS:
        raise RequestInvalid(f"message: {len(text)} characters (expected: <= {MAX_MESSAGE_CHARS})")
    return text


def _committed(receipt: Receipt) -> Response:
    outcome = receipt.outcome
    told = {
        "revision": outcome.revision,
        "commit_id": outcome.commit_id,
        "changed": outcome.changed,
        "versions": [_made(receipt.snapshot, made) for made in outcome.versions],
    }
    return answer(to_json(told), JSON, outcome.revision)


def _made(snapshot: Snapshot, made: ServiceVersion) -> dict[str, object]:
    entry = snapshot.entry(made.service, made.version)
    tag = None if entry is None else stored_tag(entry)
    return {"service": made.service, "version": made.version, "etag": tag, "deleted": made.deleted}


def _commit(snapshot: Snapshot, revision: int) -> dict[str, object]:
    commit = snapshot.commit(revision)
    return {
        "revision": commit.revision,
        "commit_id": commit.commit_id,
        "author": commit.author,
        "committed_at": utc_text(commit.committed_at),
        "message": shown_message(snapshot, commit),
        "services": [entry_as_json(entry) for entry in shown_entries(snapshot, revision)],
    }
