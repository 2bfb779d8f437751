"""The reference of the HTTP API: `/openapi.json`, and `/docs` with Swagger UI.

Swagger UI comes out of an installed package, so that the page works where there is no internet.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from configsvc.api.contract import read_contract
from configsvc.api.v1.answers import read_answer, to_json
from configsvc.api.v1.negotiation import JSON
from configsvc.service import ConfigService

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: nothing inline, nothing from elsewhere."""

_OWN = ("configsvc.api", "reference")
_SWAGGER_UI = ("flask_swagger_ui", "dist")
_FILES = {
    "page.js": (_OWN, "text/javascript; charset=utf-8"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript; charset=utf-8"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css; charset=utf-8"),
    "favicon-32x32.png": (_SWAGGER_UI, "image/png"),
}


def make_reference_blueprint(service: ConfigService) -> Blueprint:
    """Return the blueprint of `/openapi.json` and `/docs`."""
    blueprint = Blueprint("reference", __name__)

    @blueprint.get("/openapi.json")
    def contract() -> Response:
        return read_answer(_contract_body(), JSON, service.snapshot().revision)

    @blueprint.get("/docs")
    def page() -> Response:
        body = _content(_OWN, "page.html")
        response = read_answer(body, "text/html; charset=utf-8", service.snapshot().revision)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        return response

    @blueprint.get("/docs/<file>")
    def page_file(file: str) -> Response:
        if file not in _FILES:
            raise NotFound
        place, media_type = _FILES[file]
        return read_answer(_content(place, file), media_type, service.snapshot().revision)

    return blueprint


@cache
def _contract_body() -> bytes:
    return to_json(read_contract())


@cache
def _content(place: tuple[str, str], file: str) -> bytes:
    package, folder = place
    return files(package).joinpath(folder, file).read_bytes()
