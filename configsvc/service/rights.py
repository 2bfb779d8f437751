"""Which right each change needs."""

from __future__ import annotations

from configsvc.access.decide import Action
from configsvc.core.patterns import EVERYTHING, REST
from configsvc.service.changes import Change, DeleteSchema, PutSchema

_DEFAULT = "_default"


def right_for(change: Change) -> tuple[Action, str]:
    """Return what one has to be allowed to do, and on which path, to make a change."""
    if isinstance(change, PutSchema | DeleteSchema):
        return Action.ADMINISTER, schema_scope(change.path)
    return Action.WRITE, change.service


def schema_scope(path: str) -> str:
    """Return the services that a schema governs, as a path.

    Args:
        path: Below the schemas' folder: `payments/api.json`, `payments/_default.json`.
    """
    folder, _, name = path.removesuffix(".json").rpartition("/")
    if name != _DEFAULT:
        return f"{folder}/{name}" if folder else name
    return f"{folder}/{REST}" if folder else EVERYTHING
