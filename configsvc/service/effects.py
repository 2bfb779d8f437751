"""What single changes do to a staged state: the edits they come to, or why they are refused."""

from __future__ import annotations

from dataclasses import replace

from configsvc.core.errors import DocumentInvalid, SchemaNotFound, ServiceEnabled, ServiceNotFound
from configsvc.core.names import Format, document_path, meta_path
from configsvc.core.tags import BLOB_CHARS, DocumentTag, file_tag_of
from configsvc.documents.json import format_json, parse_json
from configsvc.documents.meta import Meta, parse_meta
from configsvc.service.changes import DeleteSchema, DeleteService, PutSchema, SetMeta
from configsvc.service.staging import Staged
from configsvc.store.base import Entry, View
from configsvc.validation.schemas import REPOSITORY_FOLDER, SCHEMA_BOUNDS

Edits = dict[str, bytes | None]


def tag_of(entry: Entry | None) -> DocumentTag | None:
    """Return the tag of the newest version of a service that exists, else None."""
    if entry is None or entry.blob_id is None:
        return None
    return DocumentTag(entry.version, entry.blob_id[:BLOB_CHARS])


def read_meta(view: View | Staged, service: str) -> tuple[bytes | None, Meta]:
    """Return a service's meta file and what it says; a file that was broken by hand counts as none."""
    data = view.read(meta_path(service))
    try:
        return data, parse_meta(data)
    except DocumentInvalid:
        return None, Meta()


def known_meta(data: bytes | None) -> Meta:
    """Return what a service's meta file says; one that was broken by hand counts as none."""
    try:
        return parse_meta(data)
    except DocumentInvalid:
        return Meta()


def exists(entry: Entry | None) -> bool:
    return entry is not None and not entry.deleted


def removal_of_other(current: Entry | None, format_: Format) -> Edits:
    """Return the removal of the file of another format."""
    if current is None or current.format is None or current.format is format_:
        return {}
    return {document_path(current.service, current.format): None}


def deleted(staged: Staged, change: DeleteService) -> Edits:
    current = staged.entry(change.service)
    change.precondition.check(change.service, tag_of(current))
    if current is None or current.format is None:
        raise ServiceNotFound(f"service: {change.service!r} does not exist")
    if read_meta(staged, change.service)[1].enabled:
        raise ServiceEnabled(
            f"service: {change.service!r} is enabled (expected: disabled before it is deleted)"
        )
    edits: Edits = {document_path(change.service, current.format): None}
    if staged.read(meta_path(change.service)) is not None:
        edits[meta_path(change.service)] = None
    return edits


def meta_set(staged: Staged, change: SetMeta) -> Edits:
    meta_tag = file_tag_of("meta", staged.identity(meta_path(change.service)))
    document_tag = tag_of(staged.entry(change.service))
    exists = staged.document(change.service) is not None
    change.precondition.check(change.service, document_tag if exists else None, meta_tag if exists else None)
    if not exists:
        raise ServiceNotFound(f"service: {change.service!r} does not exist")
    return meta_edits(staged, change.service, change)


def meta_edits(staged: Staged, service: str, change: SetMeta) -> Edits:
    old, meta = read_meta(staged, service)
    wanted = {
        name: member
        for name in ("enabled", "owner", "description")
        if (member := getattr(change, name)) is not None
    }
    new = replace(meta, **wanted)
    if new == meta:
        return {}
    # Not at the top, for it would hold up a start: see NOT_AT_START of the server.
    from configsvc.documents.metaedit import edit_meta

    return {meta_path(service): edit_meta(old, new)}


def schema_changed(staged: Staged, change: PutSchema | DeleteSchema) -> Edits:
    path = f"{REPOSITORY_FOLDER}/{change.path}"
    blob_id = staged.identity(path)
    current = None if blob_id is None else file_tag_of("schema", blob_id)
    change.precondition.check(path, current)
    if isinstance(change, DeleteSchema):
        if current is None:
            raise SchemaNotFound(f"schema: {path} does not exist")
        return {path: None}
    parse_json(change.data, bounds=SCHEMA_BOUNDS)
    return {path: format_json(change.data, bounds=SCHEMA_BOUNDS)}
