"""What `git log` shows of a write whose author said nothing: subject and operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

_NAMED = 3
"""Changes that a subject names one by one."""


def default_subject(changes: Sequence[Change], exists: Callable[[str], bool]) -> str:
    """Return the subject of a commit: what it does to what.

    Args:
        exists: Whether a service exists before the commit.
    """
    if not changes:
        return "Change nothing"
    sentences = [_sentence(change, exists) for change in changes[:_NAMED]]
    if len(changes) > _NAMED:
        return f"{', '.join(sentences)} and {len(changes) - _NAMED} more"
    return ", ".join(sentences)


def operation(changes: Sequence[Change]) -> str:
    """Return the operations of a commit for its trailer, each once: `put`, `patch, meta`."""
    return ", ".join(dict.fromkeys(_OPERATIONS[type(change)] for change in changes))


def _sentence(change: Change, exists: Callable[[str], bool]) -> str:
    match change:
        case PutDocument(service=service):
            return f"{'Update' if exists(service) else 'Create'} {service}"
        case PatchDocument(service=service):
            return f"Patch {service}"
        case DeleteService(service=service):
            return f"Delete {service}"
        case Rollback(service=service, version=version):
            return f"Roll {service} back to version {version}"
        case SetMeta(service=service, enabled=enabled, owner=None, description=None) if enabled is not None:
            return f"{'Enable' if enabled else 'Disable'} {service}"
        case SetMeta(service=service):
            return f"Describe {service}"
        case PutSchema(path=path):
            return f"Set schema {path}"
        case DeleteSchema(path=path):
            return f"Delete schema {path}"


_OPERATIONS: dict[type, str] = {
    PutDocument: "put",
    PatchDocument: "patch",
    DeleteService: "delete",
    Rollback: "rollback",
    SetMeta: "meta",
    PutSchema: "put-schema",
    DeleteSchema: "delete-schema",
}
