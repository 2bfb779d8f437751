"""`/`, `/openapi.json` and `/docs`."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

import configsvc
from configsvc.api.contract import read_contract
from configsvc.api.root import CAPABILITIES, LINKS
from tests.api.v1.calls import send, told

LOADED = re.compile(r'(?:src|href)="([^"]+)"')


def test_the_root_tells_what_there_is_and_where(client: FlaskClient) -> None:
    response = client.get("/")
    body = told(response)
    assert (body["name"], body["version"], body["revision"]) == ("configsvc", configsvc.__version__, 1)
    assert body["capabilities"] == sorted(CAPABILITIES)
    assert body["limits"]["max_document_bytes"] == 1 << 20
    assert body["limits"]["max_commit_bytes"] == 16 << 20
    assert send(client, "GET", "/", If_None_Match=response.headers["ETag"]).status_code == 304


@pytest.mark.parametrize("link", LINKS.values())
def test_every_link_of_the_root_leads_somewhere(client: FlaskClient, link: str) -> None:
    response = client.get(link)
    assert response.status_code == (405 if link.endswith("/validate") else 200)


def test_the_contract_is_served_as_json(client: FlaskClient) -> None:
    response = client.get("/openapi.json")
    assert told(response) == read_contract()
    assert response.content_type == "application/json"
    assert send(client, "GET", "/openapi.json", If_None_Match=response.headers["ETag"]).status_code == 304


def test_every_schema_of_the_contract_is_a_schema() -> None:
    components = read_contract()["components"]
    assert isinstance(components, dict)
    for schema in components["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(client: FlaskClient) -> None:
    response = client.get("/docs")
    assert response.content_type == "text/html; charset=utf-8"
    loaded = LOADED.findall(response.text)
    assert {"docs/page.js", "docs/swagger-ui-bundle.js", "docs/swagger-ui.css"} <= set(loaded)
    for target in loaded:
        assert client.get(f"/{target}").status_code == 200
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=|javascript:", response.text)
    policy = dict(
        part.strip().partition(" ")[::2] for part in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("page.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon-32x32.png", "image/png"),
    ],
)
def test_the_files_of_the_page_are_what_they_say(client: FlaskClient, file: str, kind: str) -> None:
    response = client.get(f"/docs/{file}")
    assert (response.status_code, response.mimetype) == (200, kind)
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    kept = send(client, "GET", f"/docs/{file}", If_None_Match=response.headers["ETag"])
    assert kept.status_code == 304


@pytest.mark.parametrize(
    "file",
    ["", "x", "page.html", "../contract.py", "..%2fopenapi.yaml", "swagger-ui.js", "%2e%2e", "page.js/"],
)
def test_no_other_file_is_served(client: FlaskClient, file: str) -> None:
    assert client.get(f"/docs/{file}").status_code == 404
