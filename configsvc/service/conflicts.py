"""Help with a precondition that failed: what there is now, and how it differs from what the client had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from configsvc.core.errors import PreconditionFailed
from configsvc.core.names import document_path
from configsvc.core.tags import BLOB_CHARS, DocumentTag, Tag, document_tag
from configsvc.documents.textdiff import unified_diff
from configsvc.service.changes import Change, ServiceChange
from configsvc.store.base import Entry, Snapshot

MAX_DIFF_BYTES = 64 << 10
"""Most bytes of each of two texts whose difference a refusal tells."""
_MAX_DIFF_STEPS = 50_000


def explain(error: PreconditionFailed, changes: Sequence[Change], snapshot: Snapshot) -> None:
    """Add to an error's details the current tag and the diff since the version that the client named.

    Args:
        changes: Those that were asked for.
        snapshot: A state that contains the one the error was found in.
    """
    error.details = tuple(_explained(detail, changes, snapshot) for detail in error.details)


def _explained(
    detail: Mapping[str, object], changes: Sequence[Change], snapshot: Snapshot
) -> Mapping[str, object]:
    index, version = detail.get("index", 0), detail.get("version")
    change = changes[index] if isinstance(index, int) else None
    if not isinstance(change, ServiceChange) or not isinstance(version, int):
        return detail
    current = snapshot.entry(change.service, version)
    if current is None or current.blob_id is None or current.format is None:
        return detail
    told = {**detail, "etag": document_tag(version, current.blob_id, current.format.value)}
    base = _base(change.precondition.tags or frozenset(), change.service, snapshot)
    if base is None:
        return told
    path = document_path(change.service, current.format)
    before, after = _text(base, snapshot), _text(current, snapshot)
    if max(len(before), len(after)) > MAX_DIFF_BYTES:
        return {**told, "diff_left_out": f"texts of more than {MAX_DIFF_BYTES} bytes (compare the versions)"}
    return {**told, "diff": unified_diff(path, before, after, max_steps=_MAX_DIFF_STEPS)}


def _base(tags: frozenset[Tag], service: str, snapshot: Snapshot) -> Entry | None:
    """Return the newest version that a client's tags really name, None when there is none."""
    named = sorted((tag for tag in tags if isinstance(tag, DocumentTag)), key=lambda tag: -tag.version)
    for tag in named:
        entry = snapshot.entry(service, tag.version)
        if entry is not None and (entry.blob_id or "")[:BLOB_CHARS] == tag.blob:
            return entry
    return None


def _text(entry: Entry, snapshot: Snapshot) -> bytes:
    return snapshot.blob(entry.blob_id or "")
