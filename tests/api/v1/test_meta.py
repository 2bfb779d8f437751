"""What is known of a service besides its document."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.v1.calls import CONFIGS, JSON, MERGE, PATCH, YAML, get, put, refusal, revision, send, told

DEFAULTS = {"service": "x", "enabled": True, "owner": "", "description": ""}


def patched(
    client: FlaskClient, body: Any, kind: str = JSON, name: str = "x", **headers: str
) -> TestResponse:
    return send(client, "PATCH", f"{CONFIGS}/{name}/-/meta", body, kind, **headers)


@pytest.fixture
def x(client: FlaskClient) -> FlaskClient:
    """Return a client of a service `x`."""
    put(client, "x", {})
    return client


@pytest.mark.parametrize("kind", [JSON, MERGE])
def test_what_is_known_is_set_and_read(x: FlaskClient, kind: str) -> None:
    assert told(get(x, "x/-/meta")) == DEFAULTS
    wanted = {"enabled": False, "owner": "team-web", "description": "front: door"}
    response = patched(x, wanted, kind)
    body = told(response)
    assert body == {
        "service": "x",
        **wanted,
        "revision": 3,
        "commit_id": body["commit_id"],
        "changed": True,
    }
    assert told(get(x, "x/-/meta")) == {"service": "x", **wanted}
    assert response.headers["Config-Version"] == "0"
    assert told(patched(x, {"owner": None}))["owner"] == ""
    assert told(get(x, "x/-/meta"))["description"] == "front: door"


@pytest.mark.parametrize("body", [{}, {"enabled": True}, {"owner": None}, {"description": ""}])
def test_what_is_known_already_makes_no_commit(x: FlaskClient, body: Any) -> None:
    assert told(patched(x, body))["changed"] is False
    assert revision(x) == 2


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ({"enabled": "true"}, JSON, (400, "request-invalid")),
        ({"enabled": 1}, JSON, (400, "request-invalid")),
        ({"owner": 1}, JSON, (400, "request-invalid")),
        ({"enable": True}, JSON, (400, "request-invalid")),
        ({"service": "x"}, JSON, (400, "request-invalid")),
        ([], JSON, (400, "request-invalid")),
        ("null", JSON, (400, "request-invalid")),
        ("", JSON, (400, "request-invalid")),
        ("{", JSON, (400, "document-invalid")),
        ({"owner": "x" * (65 << 10)}, JSON, (413, "request-too-large")),
        ({"owner": "x" * (63 << 10), "description": "y" * 900}, JSON, (200, "")),
        ([], PATCH, (415, "media-type-unsupported")),
        ("enabled: true", YAML, (415, "media-type-unsupported")),
        ({}, "text/plain", (415, "media-type-unsupported")),
    ],
)
def test_what_cannot_be_known_is_refused(
    x: FlaskClient, body: Any, kind: str, expected: tuple[int, str]
) -> None:
    response = patched(x, body, kind)
    assert response.status_code == 200 if expected[0] == 200 else refusal(response) == expected
    if expected[0] == 415:
        assert response.headers["Accept-Patch"] == f"{MERGE}, {JSON}"


def test_nothing_is_known_of_a_service_that_does_not_exist(x: FlaskClient) -> None:
    assert refusal(get(x, "y/-/meta")) == (404, "service-not-found")
    assert refusal(patched(x, {"enabled": False}, name="y")) == (404, "service-not-found")


def test_the_tag_is_of_what_is_known_and_a_write_takes_it_or_the_documents(x: FlaskClient) -> None:
    tag = get(x, "x/-/meta").headers["ETag"]
    document = put(x, "x", {"a": 1}).headers["ETag"]
    assert get(x, "x/-/meta", If_None_Match=tag).status_code == 304
    response = patched(x, {"owner": "a"}, If_Match=tag)
    assert response.status_code == 200
    assert response.headers["ETag"] == get(x, "x/-/meta").headers["ETag"] != tag
    assert refusal(patched(x, {"owner": "b"}, If_Match=tag)) == (412, "precondition-failed")
    assert patched(x, {"owner": "b"}, If_Match=document).status_code == 200


def test_a_dry_run_tells_the_file_that_would_change(x: FlaskClient) -> None:
    response = send(x, "PATCH", f"{CONFIGS}/x/-/meta?dry_run=true", {"enabled": False})
    body = told(response)
    assert body["versions"] == []
    assert [each["path"] for each in body["diffs"]] == [".configsvc/services/x.yaml"]
    assert revision(x) == 2


def test_the_answer_to_a_repeat_is_that_of_the_first(x: FlaskClient) -> None:
    first = patched(x, {"owner": "first"}, Config_Request_Id="rid-1")
    patched(x, {"owner": "second"})
    again = patched(x, {"owner": "first"}, Config_Request_Id="rid-1")
    assert again.data == first.data
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.get_json()["owner"] == "first"
