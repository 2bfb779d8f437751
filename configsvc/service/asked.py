"""What a write asks for, checked and told apart before anything is planned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service
from configsvc.service.changes import (
    Change,
    DeleteSchema,
    DeleteService,
    PatchDocument,
    PutDocument,
    PutSchema,
    Rollback,
    SetMeta,
)
from configsvc.validation.schemas import is_schema_path


def digest_of(changes: Sequence[Change]) -> str:
    """Return what tells one ask from another under the same request id: all but the preconditions."""
    material = [(type(change).__name__, *_material(change)) for change in changes]
    return hashlib.sha256(repr(material).encode()).hexdigest()


def check_names(changes: Sequence[Change]) -> None:
    """Raise unless every change has a name in the grammar, and no document or schema is changed twice."""
    seen: set[tuple[str, str]] = set()
    for change in changes:
        if isinstance(change, PutSchema | DeleteSchema):
            if not is_schema_path(change.path):
                raise RequestInvalid(
                    f"schema: {change.path[:80]!a} (expected: the name of a service, or _default, and .json)"
                )
            key = ("schema", change.path)
        else:
            kind = "meta" if isinstance(change, SetMeta) else "document"
            key = (kind, parse_service(change.service))
        if key in seen:
            raise RequestInvalid(f"changes: {key[0]} of {key[1]} is changed twice (expected: once a commit)")
        seen.add(key)


def _material(change: Change) -> tuple[object, ...]:
    match change:
        case PutDocument(service, document, _, existence, enabled, keep_format):
            asked = existence.value, document.format.value, document.data, enabled, keep_format
            return (service, *asked)
        case PatchDocument(service, patch, kind):
            return service, kind.value, json.dumps(patch, sort_keys=True)
        case DeleteService(service):
            return (service,)
        case Rollback(service, version):
            return service, version
        case SetMeta(service, enabled, owner, description):
            return service, enabled, owner, description
        case PutSchema(path, data):
            return path, data
        case DeleteSchema(path):
            return (path,)
