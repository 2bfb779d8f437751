"""`GET /`: what this server can do, how much of it, and where."""

from __future__ import annotations

from flask import Blueprint, Response

from configsvc import __version__
from configsvc.api.metrics import METRICS_PATH
from configsvc.api.parameters import MAX_MESSAGE_CHARS
from configsvc.api.v1.answers import read_answer, to_json
from configsvc.api.v1.budgets import commit_nodes
from configsvc.api.v1.changes import MAX_CHANGES
from configsvc.api.v1.listing import MAX_LIMIT
from configsvc.api.v1.negotiation import JSON
from configsvc.api.v1.paths import COMMITS_PATH, PREFIX
from configsvc.documents.edit import MAX_EDIT_BYTES, MAX_EDIT_NODES
from configsvc.documents.patch import MAX_OPERATIONS
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.validation.schemas import SCHEMA_BOUNDS

CAPABILITIES = (
    "commits",
    "diff",
    "dry-run",
    "if-match",
    "json-patch",
    "merge-patch",
    "meta",
    "min-revision",
    "pointer",
    "rejections",
    "request-id",
    "rollback",
    "schemas",
    "validate",
)
LINKS = {
    "configs": f"{PREFIX}/configs",
    "commits": COMMITS_PATH,
    "schemas": f"{PREFIX}/schemas",
    "validate": f"{PREFIX}/validate",
    "liveness": "/healthz",
    "readiness": "/readyz",
    "metrics": METRICS_PATH,
    "openapi": "/openapi.json",
    "docs": "/docs",
}


def make_root_blueprint(service: ConfigService, settings: Settings) -> Blueprint:
    """Return the blueprint of `/`."""
    blueprint = Blueprint("root", __name__)
    limits = {
        "max_document_bytes": settings.max_document_bytes,
        "max_document_depth": settings.max_depth,
        "max_document_nodes": settings.max_nodes,
        "max_document_expanded_bytes": settings.max_expanded_bytes,
        "max_edited_yaml_bytes": MAX_EDIT_BYTES,
        "max_edited_yaml_nodes": MAX_EDIT_NODES,
        "max_schema_bytes": SCHEMA_BOUNDS.max_bytes,
        "max_commit_bytes": settings.max_body_bytes,
        "max_commit_changes": MAX_CHANGES,
        "max_commit_nodes": commit_nodes(settings.max_nodes),
        "max_patch_operations": MAX_OPERATIONS,
        "max_message_chars": MAX_MESSAGE_CHARS,
        "max_page_items": MAX_LIMIT,
    }

    @blueprint.get("/")
    def root() -> Response:
        revision = service.snapshot().revision
        told = {
            "name": "configsvc",
            "version": __version__,
            "revision": revision,
            "capabilities": CAPABILITIES,
            "limits": limits,
            "links": LINKS,
        }
        return read_answer(to_json(told), JSON, revision)

    return blueprint
