"""Entity tags in requests and answers: 304 on reads, `If-Match` and `If-None-Match: *` on writes."""

from __future__ import annotations

import hashlib

from flask import request

from configsvc.core.tags import (
    BLOB_CHARS,
    DocumentTag,
    Precondition,
    document_tag,
    parse_precondition,
    split_tags,
)
from configsvc.store.base import Entry


def is_known(tag: str) -> bool:
    """Return whether the client has this state already (RFC 9110, section 13.1.2: weak comparison).

    Raises:
        RequestInvalid: `If-None-Match` is malformed.
    """
    header = request.headers.get("If-None-Match")
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return tag.strip('"') in [text for _, text in split_tags(header)]


def write_precondition() -> Precondition:
    """Return the precondition of a write.

    Raises:
        RequestInvalid: One of its headers is malformed.
    """
    return parse_precondition(request.headers.get("If-Match"), request.headers.get("If-None-Match"))


def document_tag_of(entry: Entry) -> DocumentTag:
    """Return what `If-Match` compares of a version that has a document."""
    return DocumentTag(entry.version, (entry.blob_id or "")[:BLOB_CHARS])


def stored_tag(entry: Entry) -> str | None:
    """Return the ETag of a version in the format it is stored in; None for the mark of a deletion."""
    if entry.format is None or entry.blob_id is None:
        return None
    return document_tag(entry.version, entry.blob_id, entry.format.value)


def body_tag(body: bytes) -> str:
    """Return an ETag of a body for what has no version of its own; no `If-Match` takes it."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
