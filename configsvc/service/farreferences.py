"""References of schemas that lead to what one of their admins may not read.

No admin of a part can write such a reference (ADR 0008); one from before that, or one that an
admin of more has made, is followed.  Whoever answers for the repository should know of them.
"""

from __future__ import annotations

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import PRINCIPALS_FOLDER
from configsvc.core.principals import Principal, Role
from configsvc.documents.principals import PRINCIPAL_BOUNDS, parse_principal
from configsvc.service.rights import schema_scope
from configsvc.service.staging import Staged
from configsvc.store.base import Snapshot
from configsvc.validation.conformance import schema_files
from configsvc.validation.schemas import Schema, find_schema, repository_source


def far_references(snapshot: Snapshot) -> tuple[str, ...]:
    """Return `a/x.json -> b/y.json` for each file y that x is made of and some admin of x may not read."""
    source = repository_source(snapshot.read)
    found = (find_schema(path, source) for path in schema_files(Staged(snapshot)))
    composed = [schema for schema in found if schema is not None and len(schema.files) > 1]
    admins = _admins(snapshot) if composed else []
    return tuple(sorted(pair for schema in composed for pair in _far(schema, admins)))


def _far(schema: Schema, admins: list[Principal]) -> list[str]:
    own = schema_scope(schema.path)
    answering = [admin for admin in admins if admin.role_on(own) is Role.ADMIN]
    return [
        f"{schema.path} -> {path}"
        for path in schema.files
        if any(admin.role_on(schema_scope(path)) is None for admin in answering)
    ]


def _admins(snapshot: Snapshot) -> list[Principal]:
    """Return those who administer something; a file without that word is not parsed."""
    if snapshot.identity(PRINCIPALS_FOLDER) is None:
        return []
    files = snapshot.folder_files(PRINCIPALS_FOLDER)
    names = {blob_id: name.removesuffix(".yaml") for name, blob_id in files.items()}
    found: list[Principal] = []
    for blob_id, data in snapshot.blobs(names):
        if str(Role.ADMIN).encode() not in data or len(data) > PRINCIPAL_BOUNDS.max_bytes:
            continue
        try:
            found.append(parse_principal(names[blob_id], data))
        except DocumentInvalid:
            continue  # it gives nobody a right
    return found
