"""Which right each change needs, and which schemas a change of schemas may build on (ADR 0008)."""

from __future__ import annotations

from typing import NamedTuple

from configsvc.access.decide import Action, Admission
from configsvc.access.landing import PrincipalFiles, may_at
from configsvc.core.names import META_FOLDER, PRINCIPALS_FOLDER, find_document
from configsvc.core.patterns import EVERYTHING, REST
from configsvc.service.changes import Change, DeleteSchema, PutSchema

_DEFAULT = "_default"
_SCHEMAS = f"{META_FOLDER}/schemas/"
_SERVICES = f"{META_FOLDER}/services/"


def right_for(change: Change) -> tuple[Action, str]:
    """Return what one has to be allowed to do, and on which path, to make a change."""
    if isinstance(change, PutSchema | DeleteSchema):
        return Action.ADMINISTER, schema_scope(change.path)
    return Action.WRITE, change.service


def right_for_path(path: str) -> tuple[Action, str]:
    """Return what a change of the file at `path` needs: an action, and on what.

    Schemas and principals are an admin's; a document, and what is about it, its
    writers'; any other file is for writers of its path.
    """
    if path.startswith(f"{PRINCIPALS_FOLDER}/"):
        return Action.ADMINISTER, EVERYTHING
    if path.startswith(_SCHEMAS):
        return Action.ADMINISTER, schema_scope(path.removeprefix(_SCHEMAS))
    if path.startswith(_SERVICES):
        return Action.WRITE, path.removeprefix(_SERVICES).removesuffix(".yaml")
    document = find_document(path)
    return Action.WRITE, path if document is None else document.service


class SchemaRights(NamedTuple):
    """What one who changes schemas may do with others, by path below the schemas' folder.

    Args:
        files: The state that the change starts from.
    """

    files: PrincipalFiles
    admission: Admission

    def may_read(self, path: str) -> bool:
        return may_at(self.files, self.admission, Action.READ, schema_scope(path))

    def may_change(self, path: str) -> bool:
        return may_at(self.files, self.admission, Action.ADMINISTER, schema_scope(path))


def schema_scope(path: str) -> str:
    """Return the services that a schema governs, as a path.

    Args:
        path: Below the schemas' folder: `payments/api.json`, `payments/_default.json`.
    """
    folder, _, name = path.removesuffix(".json").rpartition("/")
    if name != _DEFAULT:
        return f"{folder}/{name}" if folder else name
    return f"{folder}/{REST}" if folder else EVERYTHING
