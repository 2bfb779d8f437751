"""The calls of the full API, said in few words."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

CONFIGS = "/api/v1/configs"
COMMITS = "/api/v1/commits"
SCHEMAS = "/api/v1/schemas"
JSON = "application/json"
YAML = "application/yaml"
MERGE = "application/merge-patch+json"
PATCH = "application/json-patch+json"
DIFF = "text/x-diff"
SCHEMA = "application/schema+json"

COMMENTED = """\
# ask before you change this
base: &base
  retries:   3     # three times
prod:
  <<: *base
  port: 80
"""
"""A document in YAML that loses something when it is written anew."""


def send(
    client: FlaskClient, method: str, path: str, value: Any = None, kind: str = JSON, **headers: str
) -> TestResponse:
    """Send a request.

    Args:
        value: Bytes or text as they are; any other value as JSON.
        headers: With `_` for `-`: `If_Match`.
    """
    data = value if isinstance(value, str | bytes | None) else json.dumps(value)
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.open(
        path, method=method, data=data, content_type=None if data is None else kind, headers=named
    )


def put(client: FlaskClient, name: str, value: Any, kind: str = JSON, **headers: str) -> TestResponse:
    """Put a document; the name may have a query behind it."""
    return send(client, "PUT", f"{CONFIGS}/{name}", value, kind, **headers)


def patch(client: FlaskClient, name: str, value: Any, kind: str = MERGE, **headers: str) -> TestResponse:
    """Patch a document."""
    return send(client, "PATCH", f"{CONFIGS}/{name}", value, kind, **headers)


def get(client: FlaskClient, name: str, **headers: str) -> TestResponse:
    """Read a document; the name may have a query behind it."""
    return send(client, "GET", f"{CONFIGS}/{name}", **headers)


def delete(client: FlaskClient, name: str, **headers: str) -> TestResponse:
    """Delete a service."""
    return send(client, "DELETE", f"{CONFIGS}/{name}", **headers)


def disable(client: FlaskClient, name: str) -> None:
    """Make a service ready to be deleted."""
    assert send(client, "PATCH", f"{CONFIGS}/{name}/-/meta", {"enabled": False}).status_code == 200


def remove(client: FlaskClient, name: str) -> None:
    """Disable and delete a service."""
    disable(client, name)
    assert delete(client, name).status_code == 200


def put_schema(client: FlaskClient, name: str, value: Any, **headers: str) -> TestResponse:
    """Put a schema."""
    return send(client, "PUT", f"{SCHEMAS}/{name}", value, SCHEMA, **headers)


def commit(client: FlaskClient, *changes: Any, query: str = "", **members: Any) -> TestResponse:
    """Post a commit."""
    return send(client, "POST", COMMITS + query, {"changes": list(changes), **members})


def told(response: TestResponse) -> Any:
    """Return what a JSON answer says, of whatever JSON type."""
    return json.loads(response.data)


def refusal(response: TestResponse) -> tuple[int, str]:
    """Return status and code of a problem."""
    assert response.content_type == "application/problem+json", response.text
    return response.status_code, told(response)["code"]


def revision(client: FlaskClient) -> int:
    """Return the newest revision."""
    return int(client.get("/healthz").headers["Config-Revision"])
