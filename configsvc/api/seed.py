"""`/config`: the original system's dialect, kept exactly.

POST creates a service, and its answer shows the new configuration.  GET
answers the document, or a map of version to document once there are more.
PATCH adds a version with the whole document, sets `enabled`, or does both.
DELETE removes a service that is not enabled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Blueprint, Response, request

from configsvc.access.decide import Action
from configsvc.api import headers
from configsvc.api.asks import read_ask
from configsvc.api.bodies import read_body, read_document
from configsvc.api.conditional import document_tag_of, is_known, write_precondition
from configsvc.api.guard import asker, require, require_writer
from configsvc.api.parameters import Query
from configsvc.api.problems import SEED_PATH, seed_json
from configsvc.api.seed_versions import VersionMaps
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service
from configsvc.core.tags import document_tag, parse_precondition
from configsvc.documents.document import Document
from configsvc.service import ConfigService, Existence
from configsvc.service.changes import Change, DeleteService, PutDocument, SetMeta
from configsvc.store.base import Entry

_SUCCESS = seed_json({"success": True})


def make_seed_blueprint(service: ConfigService) -> Blueprint:
    """Return the blueprint of `/config`."""
    api = SeedApi(service)
    blueprint = Blueprint("seed", __name__)
    for method, view in (("GET", api.get), ("POST", api.post), ("PATCH", api.patch), ("DELETE", api.delete)):
        blueprint.add_url_rule(SEED_PATH, method.lower(), view, methods=[method])
    return blueprint


class SeedApi:
    """The four verbs of `/config`."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service
        self._maps = VersionMaps(service)

    def get(self) -> Response:
        """Answer the newest document, one version of it, or the map of versions."""
        query = Query(request.query_string, ("service", "version"))
        name, version = parse_service(query.service()), query.version()
        require(Action.READ, name)
        snapshot = self._service.snapshot()
        entry = self._service.find_entry(snapshot, name, version)
        parse_precondition(request.headers.get("If-Match"), None).check(name, document_tag_of(entry))
        if is_known(seed_tag(entry)):
            return _document_response(b"", entry, snapshot.revision, status=304)
        if version is None and is_map(entry):
            return _document_response(self._maps.render(snapshot, entry, asker()), entry, snapshot.revision)
        text = json.dumps(self._service.value(snapshot, entry))
        return _document_response(text.encode("ascii"), entry, snapshot.revision)

    def post(self) -> Response:
        """Create a service."""
        query = Query(request.query_string, ("service", "message"))
        if query.find("service") is not None:
            require(Action.WRITE, parse_service(query.service()))
        else:
            require_writer()
        document = read_document(request, self._body(), self._service)
        name = query.find("service") or _name_in(document)
        require(Action.WRITE, parse_service(name))
        put = PutDocument(name, document, write_precondition(), Existence.ABSENT)
        receipt = self._service.commit([put], ask=read_ask(query))
        entry = receipt.entry(name)
        created = {
            "ID": entry.ordinal,
            "enabled": receipt.meta(name)[0].enabled,
            "service": name,
            "serviceJSONconf": json.dumps(document.value),
            "success": True,
            "total_configs": receipt.snapshot.service_count(receipt.outcome.revision),
        }
        response = _document_response(seed_json(created), entry, receipt.outcome.revision, status=201)
        response.headers["Location"] = f"{SEED_PATH}?service={name}"  # a name needs no escapes in a query
        return response

    def patch(self) -> Response:
        """Add a version with the whole document, set the enabled flag, or do both in one commit."""
        query = Query(request.query_string, ("service", "enabled", "message"))
        name, enabled = parse_service(query.service()), query.enabled()
        require(Action.WRITE, name)
        data = self._body()
        change: Change
        if not data and enabled is not None:
            change = SetMeta(name, enabled, precondition=write_precondition())
        else:
            document = read_document(request, data, self._service)
            change = PutDocument(
                name, document, write_precondition(), Existence.PRESENT, enabled, keep_format=True
            )
        receipt = self._service.commit([change], ask=read_ask(query))
        return _document_response(_SUCCESS, receipt.entry(name), receipt.outcome.revision)

    def delete(self) -> Response:
        """Delete a service that is not enabled."""
        query = Query(request.query_string, ("service", "message"))
        require(Action.WRITE, parse_service(query.service()))
        delete = DeleteService(query.service(), write_precondition())
        receipt = self._service.commit([delete], ask=read_ask(query))
        response = Response(_SUCCESS, mimetype="application/json")
        response.headers[headers.REVISION] = str(receipt.outcome.revision)
        return response

    def _body(self) -> bytes:
        return read_body(request, self._service.bounds.max_bytes)


def _name_in(document: Document) -> str:
    name = document.value.get("service")
    if not isinstance(name, str):
        raise RequestInvalid(
            'service: is missing (expected: ?service=NAME, or a text "service" in the document)'
        )
    return name


def is_map(entry: Entry) -> bool:
    """Return whether a read of the newest version is answered by a map of versions."""
    return entry.version > entry.born


def seed_tag(entry: Entry) -> str:
    """Return the ETag of an answer about `entry`."""
    return document_tag(entry.version, entry.blob_id or "", "seed")


def _document_response(
    body: bytes | Iterator[bytes], entry: Entry, revision: int, *, status: int = 200
) -> Response:
    response = Response(body, status=status, mimetype="application/json")
    response.headers["ETag"] = seed_tag(entry)
    response.headers["Cache-Control"] = "no-cache"
    response.headers[headers.REVISION] = str(revision)
    response.headers[headers.VERSION] = str(entry.version)
    return response
