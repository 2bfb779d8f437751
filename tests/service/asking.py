"""Changes as tests write them, in a line each."""

from __future__ import annotations

import json

from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.core.names import Format
from configsvc.core.tags import ALWAYS, Precondition
from configsvc.documents.document import read_document
from configsvc.service import ConfigService
from configsvc.service.changes import DeleteService, PutDocument, PutSchema, SetMeta
from configsvc.store.base import ConfigStore, Write


def json_put(name: str, value: object, condition: Precondition = ALWAYS) -> PutDocument:
    """Return the change that puts a value as JSON, on one line."""
    return PutDocument(name, read_document(json.dumps(value).encode(), Format.JSON), condition)


def yaml_put(name: str, text: str) -> PutDocument:
    """Return the change that puts a YAML text."""
    return PutDocument(name, read_document(text.encode(), Format.YAML))


def schema_put(path: str, schema: object) -> PutSchema:
    """Return the change that puts a schema."""
    return PutSchema(path, json.dumps(schema).encode())


def integer_schema(*names: str, **more: object) -> dict[str, object]:
    """Return a schema by which the members `names` are integers."""
    return {"type": "object", "properties": {name: {"type": "integer"} for name in names}, **more}


def text_of(service: ConfigService, name: str) -> str:
    """Return the newest document of a service."""
    snapshot = service.snapshot()
    return service.document(snapshot, service.find_entry(snapshot, name)).decode()


def remove(service: ConfigService, name: str) -> None:
    """Disable and delete a service, in one commit."""
    service.commit([SetMeta(name, enabled=False), DeleteService(name)])


def by_hand(store: ConfigStore, edits: dict[str, bytes | None]) -> None:
    """Land edits past the gate, as they may have been before there was one."""
    store.submit(Write(lambda view: Plan(edits, "By hand\n"), ANONYMOUS)).result(20.0)
