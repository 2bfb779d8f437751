"""The verbs of `/config`, said in few words."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

JSON = "application/json"
NOT_FOUND = '{\n  "error": 404,\n  "message": "resource not found",\n  "success": false\n}\n'
UNPROCESSABLE = '{\n  "error": 422,\n  "message": "unprocessable",\n  "success": false\n}\n'
SUCCESS = '{\n  "success": true\n}\n'


def put(
    client: FlaskClient, method: str, name: str = "nginx", value: Any = None, **options: Any
) -> TestResponse:
    """Send a document, as JSON."""
    options.setdefault("content_type", JSON)
    body = options.pop("data", None) or json.dumps({"a": 1} if value is None else value)
    query = options.pop("query", "")
    return client.open(f"/config?service={name}{query}", method=method, data=body, **options)


def create(client: FlaskClient, name: str = "nginx", *values: Any) -> TestResponse:
    """Create a service with one version for each value."""
    first, *others = values or ({"a": 1},)
    response = put(client, "POST", name, first)
    assert response.status_code == 201
    for value in others:
        assert put(client, "PATCH", name, value).status_code == 200
    return response


def get(client: FlaskClient, name: str = "nginx", query: str = "", **options: Any) -> TestResponse:
    return client.get(f"/config?service={name}{query}", **options)


def findings(response: TestResponse) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = response.get_json()["details"]
    return details


def delete(client: FlaskClient, name: str = "nginx") -> TestResponse:
    """Disable and delete a service."""
    assert client.patch(f"/config?service={name}&enabled=false").status_code == 200
    response = client.delete(f"/config?service={name}")
    assert (response.status_code, response.text) == (200, SUCCESS)
    return response
