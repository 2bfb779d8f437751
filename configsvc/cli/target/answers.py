"""What the service answers, in the words of the client's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from configsvc.cli.target.protocol import LogEntry
from configsvc.client import (
    Committed,
    ConfigItem,
    Deleted,
    DryRun,
    FileDiff,
    MetaWritten,
    ServiceVersion,
    Verdict,
    VersionMade,
    Violation,
    Written,
)
from configsvc.core.principals import format_time
from configsvc.core.reports import Violation as Found
from configsvc.core.tags import document_tag
from configsvc.documents.meta import Meta
from configsvc.documents.textdiff import unified_diff
from configsvc.service import Receipt
from configsvc.store.base import Entry, Snapshot
from configsvc.store.trail import TrailEntry


def item(snapshot: Snapshot, entry: Entry, meta: Meta) -> ConfigItem:
    """Return a service that exists as a list has it."""
    commit = snapshot.record(entry.revision)
    return ConfigItem(
        entry.service,
        entry.version,
        entry.revision,
        tag_of(entry) or "",
        "" if entry.format is None else entry.format.value,
        meta.enabled,
        format_time(commit.committed_at),
        commit.author,
    )


def written(receipt: Receipt, service: str) -> Written:
    """Return what came of a write of one document."""
    outcome, entry = receipt.outcome, receipt.entry(service)
    stored = "" if entry.format is None else entry.format.value
    place = entry.version, outcome.revision, outcome.commit_id
    return Written(service, *place, tag_of(entry) or "", stored, outcome.changed)


def deleted(receipt: Receipt, service: str) -> Deleted:
    """Return what came of a deletion."""
    outcome, entry = receipt.outcome, receipt.entry(service)
    return Deleted(service, entry.version, outcome.revision, outcome.commit_id, True, outcome.changed)


def committed(receipt: Receipt) -> Committed:
    """Return what came of a write of many documents."""
    outcome = receipt.outcome
    entries = [receipt.snapshot.entry(made.service, made.version) for made in outcome.versions]
    made = tuple(version_made(entry) for entry in entries if entry is not None)
    return Committed(outcome.revision, outcome.commit_id, outcome.changed, made)


def meta_written(receipt: Receipt, service: str) -> MetaWritten:
    """Return what came of a write of a service's meta."""
    outcome = receipt.outcome
    meta, _ = receipt.meta(service)
    return MetaWritten(
        service,
        **asdict(meta),
        revision=outcome.revision,
        commit_id=outcome.commit_id,
        changed=outcome.changed,
    )


def preview(receipt: Receipt) -> DryRun:
    """Return what came of a dry run."""
    versions = tuple(
        ServiceVersion(each.service, each.version, each.deleted) for each in receipt.outcome.versions
    )
    diffs = (
        FileDiff(each.path, unified_diff(each.path, each.before, each.after)) for each in receipt.previews
    )
    return DryRun(True, receipt.outcome.changed, versions, tuple(diffs))


def version_made(entry: Entry) -> VersionMade:
    """Return a version that a commit made."""
    return VersionMade(entry.service, entry.version, tag_of(entry), entry.deleted)


def verdict(found: Sequence[Found]) -> Verdict:
    """Return what the gate says."""
    shown = (
        Violation(each.pointer, each.message, each.path or None, each.line or None, each.column or None)
        for each in found
    )
    return Verdict(not found, tuple(shown))


def log_entry(entry: TrailEntry) -> LogEntry:
    """Return a commit of main."""
    people = (f"{each.name} <{each.email}>" for each in (entry.author, entry.committer))
    author, committer = people
    time = format_time(entry.committed_at)
    return LogEntry(entry.revision, entry.commit_id, time, author, entry.message, committer, entry.is_vouched)


def tag_of(entry: Entry) -> str | None:
    """Return the tag of a version; None for the mark of a deletion."""
    if entry.format is None or entry.blob_id is None:
        return None
    return document_tag(entry.version, entry.blob_id, entry.format.value)
