"""Answers of the full API: values as JSON, pages, and what came of a write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from flask import Response

from configsvc.api import headers
from configsvc.api.conditional import body_tag, is_known, stored_tag
from configsvc.api.guard import comparing
from configsvc.api.v1.negotiation import JSON
from configsvc.core.changes import ServiceVersion
from configsvc.documents.textdiff import MAX_STEPS, unified_diff
from configsvc.service import Receipt
from configsvc.store.base import Entry

Members = Mapping[str, object]


def answer(
    body: bytes,
    media_type: str,
    revision: int,
    *,
    tag: str | None = None,
    version: int | None = None,
    status: int = 200,
) -> Response:
    """Return an answer.

    Args:
        revision: That it is of.
        tag: Its ETag header.
        version: Of the service it is about.
    """
    response = Response(body, status=status, content_type=media_type)
    response.headers["Cache-Control"] = "no-cache"
    response.headers[headers.REVISION] = str(revision)
    if tag is not None:
        response.headers["ETag"] = tag
    if version is not None:
        response.headers[headers.VERSION] = str(version)
    return response


def read_answer(
    body: bytes, media_type: str, revision: int, *, tag: str | None = None, version: int | None = None
) -> Response:
    """Return the answer to a read; 304 when the client has it already.

    Args:
        tag: Its ETag header; made of the body when there is none.
    """
    tag = tag or body_tag(body)
    if is_known(tag):
        return not_modified(tag, revision, version=version)
    return answer(body, media_type, revision, tag=tag, version=version)


def not_modified(tag: str, revision: int, *, version: int | None = None) -> Response:
    """Return the answer that what the client has is still right."""
    response = answer(b"", JSON, revision, tag=tag, version=version, status=304)
    del response.headers["Content-Type"]
    return response


def to_json(value: object) -> bytes:
    """Return a value as the body of an answer."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def page_of(head: Members, items: Iterable[Members], next_cursor: str | None) -> bytes:
    """Return the body of a page: one item a line."""
    lines = ",\n".join("    " + json.dumps(item, ensure_ascii=False) for item in items)
    members = [f"  {json.dumps(name)}: {json.dumps(member)}" for name, member in head.items()]
    members.append(f'  "items": [\n{lines}\n  ]' if lines else '  "items": []')
    members.append(f'  "next_cursor": {json.dumps(next_cursor)}')
    return ("{\n" + ",\n".join(members) + "\n}\n").encode()


def utc_text(epoch_s: int) -> str:
    """Return a time in RFC 3339, UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def version_as_json(made: ServiceVersion) -> dict[str, object]:
    """Return a version that a commit made, as an answer has it."""
    return {"service": made.service, "version": made.version, "deleted": made.deleted}


def entry_as_json(entry: Entry) -> dict[str, object]:
    """Return an entry of the version index as `version_as_json` would."""
    return {"service": entry.service, "version": entry.version, "deleted": entry.deleted}


def written(receipt: Receipt, service: str, *, is_creation: bool = True) -> Response:
    """Return the answer to a write of one document.

    Args:
        is_creation: 201 when it created the service; else 200 always.
    """
    outcome, entry = receipt.outcome, receipt.entry(service)
    tag = stored_tag(entry)
    told = {
        "service": service,
        "version": entry.version,
        "revision": outcome.revision,
        "commit_id": outcome.commit_id,
        "etag": tag,
        "format": None if entry.format is None else entry.format.value,
        "changed": outcome.changed,
    }
    is_new = entry.version == entry.born and entry.revision == outcome.revision and outcome.changed
    status = 201 if is_new and is_creation else 200
    return answer(to_json(told), JSON, outcome.revision, tag=tag, version=entry.version, status=status)


def previewed(receipt: Receipt) -> Response:
    """Return the answer to a dry run."""
    max_steps = MAX_STEPS // max(1, len(receipt.previews))
    with comparing():
        diffs = [
            {"path": each.path, "diff": unified_diff(each.path, each.before, each.after, max_steps=max_steps)}
            for each in receipt.previews
        ]
    told = {
        "dry_run": True,
        "changed": receipt.outcome.changed,
        "versions": [version_as_json(made) for made in receipt.outcome.versions],
        "diffs": diffs,
    }
    return answer(to_json(told), JSON, receipt.outcome.revision)
