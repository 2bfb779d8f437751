"""`/api/v1/schemas`: the JSON Schemas of the repository."""

from __future__ import annotations

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.api.asks import read_ask
from configsvc.api.bodies import read_body
from configsvc.api.conditional import write_precondition
from configsvc.api.guard import require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import answer, page_of, previewed, read_answer, to_json
from configsvc.api.v1.bodies import media_type_of
from configsvc.api.v1.listing import NamePage
from configsvc.api.v1.negotiation import JSON, SCHEMA, choose
from configsvc.api.v1.sight import sees, sees_everything
from configsvc.core.errors import RequestInvalid
from configsvc.core.schema_names import DEFAULT, schema_name, schema_path
from configsvc.core.tags import file_tag
from configsvc.documents.json import format_json
from configsvc.service import ConfigService
from configsvc.service.changes import Change, DeleteSchema, PutSchema
from configsvc.service.rights import schema_scope
from configsvc.store.base import Snapshot
from configsvc.store.objects import object_id
from configsvc.validation.schemas import REPOSITORY_FOLDER, SCHEMA_BOUNDS

_KIND = "schemas"


class SchemasApi:
    """The list of schemas, and the verbs of one."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def list_schemas(self) -> Response:
        """Answer a page of schemas, in the order of their paths."""
        page = NamePage(_KIND, Query(request.query_string, ("limit", "cursor")))
        snapshot = self._service.snapshot()
        all_paths, is_whole = self._service.schema_paths(snapshot), sees_everything()
        paths = (path for path in all_paths if path > page.after and (is_whole or sees(schema_scope(path))))
        shown, following = page.take(paths)
        items = [_item(snapshot, path) for path in shown]
        body = page_of({"revision": snapshot.revision}, items, following)
        return read_answer(body, JSON, snapshot.revision)

    def get(self, service: str) -> Response:
        """Answer the schema of a service."""
        return self._get(service)

    def put(self, service: str) -> Response:
        """Create or replace the schema of a service."""
        return self._put(service)

    def delete(self, service: str) -> Response:
        """Delete the schema of a service."""
        return self._delete(service)

    def get_default(self, service: str = "") -> Response:
        """Answer the schema of all services below a folder; without one, of all."""
        return self._get(_default(service))

    def put_default(self, service: str = "") -> Response:
        """Create or replace the schema of all services below a folder."""
        return self._put(_default(service))

    def delete_default(self, service: str = "") -> Response:
        """Delete the schema of all services below a folder."""
        return self._delete(_default(service))

    def _get(self, name: str) -> Response:
        Query(request.query_string, ())
        choose([SCHEMA])
        path = schema_path(name)
        require(Action.READ, schema_scope(path))
        snapshot = self._service.snapshot()
        data = self._service.schema(snapshot, path)
        tag = file_tag("schema", snapshot.identity(f"{REPOSITORY_FOLDER}/{path}"))
        return read_answer(data, SCHEMA, snapshot.revision, tag=tag)

    def _put(self, name: str) -> Response:
        query = Query(request.query_string, ("message", "dry_run"))
        path = schema_path(name)
        require(Action.ADMINISTER, schema_scope(path))
        media_type_of((SCHEMA, JSON))
        data = read_body(request, SCHEMA_BOUNDS.max_bytes)
        if not data:
            raise RequestInvalid("body: is empty (expected: a JSON Schema)")
        return self._written(name, PutSchema(path, data, write_precondition()), query)

    def _delete(self, name: str) -> Response:
        query = Query(request.query_string, ("message", "dry_run"))
        path = schema_path(name)
        require(Action.ADMINISTER, schema_scope(path))
        return self._written(name, DeleteSchema(path, write_precondition()), query)

    def _written(self, name: str, change: Change, query: Query) -> Response:
        ask = read_ask(query)
        receipt = self._service.commit([change], ask=ask)
        if ask.dry_run:
            return previewed(receipt)
        outcome = receipt.outcome
        tag = None
        if isinstance(change, PutSchema):
            stored = format_json(change.data, bounds=SCHEMA_BOUNDS)
            tag = file_tag("schema", object_id("blob", stored).hex())
        told = {
            "schema": name,
            "revision": outcome.revision,
            "commit_id": outcome.commit_id,
            "changed": outcome.changed,
            "deleted": tag is None,
            "etag": tag,
        }
        return answer(to_json(told), JSON, outcome.revision, tag=tag)


def _default(folder: str) -> str:
    return f"{folder}/{DEFAULT}" if folder else DEFAULT


def _item(snapshot: Snapshot, path: str) -> dict[str, object]:
    file = f"{REPOSITORY_FOLDER}/{path}"
    return {"schema": schema_name(path), "path": file, "etag": file_tag("schema", snapshot.identity(file))}
