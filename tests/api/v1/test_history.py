"""Versions, differences and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.v1.calls import (
    CONFIGS,
    DIFF,
    JSON,
    PATCH,
    YAML,
    get,
    put,
    refusal,
    remove,
    revision,
    send,
    told,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def x(client: FlaskClient) -> FlaskClient:
    """Return a client of a service `x` with versions 0 to 2 in JSON, a deletion, and 4 in YAML."""
    for number in range(3):
        put(client, "x", {"n": number})
    remove(client, "x")
    put(client, "x", "n: 4\n", YAML)
    return client


def rolled_back(client: FlaskClient, body: Any, name: str = "x") -> Any:
    return send(client, "POST", f"{CONFIGS}/{name}/-/rollback", body)


def test_versions_are_listed_newest_first(x: FlaskClient) -> None:
    body = told(get(x, "x/-/versions"))
    shown = [(item["version"], item["deleted"], item["format"]) for item in body["items"]]
    json_versions = [(number, False, "json") for number in (2, 1, 0)]
    assert shown == [(4, False, "yaml"), (3, True, None), *json_versions]
    assert (body["service"], body["revision"], body["next_cursor"]) == ("x", 7, None)
    newest, deleted = body["items"][:2]
    assert newest["etag"] == get(x, "x").headers["ETag"]
    assert deleted["etag"] is None
    assert deleted["message"] == "Delete x\n\nConfig-Operation: delete\n"


def test_versions_are_listed_page_by_page_while_writes_go_on(x: FlaskClient) -> None:
    seen, query = [], "?limit=2"
    while True:
        body = told(get(x, f"x/-/versions{query}"))
        seen += [item["version"] for item in body["items"]]
        if body["next_cursor"] is None:
            break
        put(x, "x", {"n": seen})
        query = f"?limit=2&cursor={body['next_cursor']}"
    assert seen == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("version", range(5))
def test_one_version_is_as_in_the_list(x: FlaskClient, version: int) -> None:
    items = told(get(x, "x/-/versions"))["items"]
    response = get(x, f"x/-/versions/{version}")
    assert told(response) == items[4 - version]
    kept = get(x, f"x/-/versions/{version}", If_None_Match=response.headers["ETag"])
    assert kept.status_code == 304


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("y/-/versions", (404, "service-not-found")),
        ("y/-/versions/0", (404, "service-not-found")),
        ("y/-/diff", (404, "service-not-found")),
        ("x/-/versions/5", (404, "version-not-found")),
        ("x/-/diff?from=5", (404, "version-not-found")),
        ("x/-/diff?to=5", (404, "version-not-found")),
        ("x/-/versions/-1", (400, "request-invalid")),
        ("x/-/versions/01", (400, "request-invalid")),
        ("x/-/versions/x", (400, "request-invalid")),
        ("x/-/versions/%D9%A1", (400, "request-invalid")),
        ("x/-/versions/99999999999", (400, "request-invalid")),
        ("X/-/versions", (400, "name-invalid")),
        ("X/-/versions/0", (400, "name-invalid")),
        ("X/-/diff", (400, "name-invalid")),
        ("X/-/meta", (400, "name-invalid")),
        ("x/-/versions/0?x=1", (400, "request-invalid")),
    ],
)
def test_history_that_does_not_exist_is_refused(x: FlaskClient, path: str, expected: tuple[int, str]) -> None:
    assert refusal(get(x, path)) == expected


def test_a_difference_is_told_as_text(x: FlaskClient) -> None:
    response = get(x, "x/-/diff?from=0&to=2")
    assert response.content_type == "text/x-diff; charset=utf-8"
    hunk = '@@ -1,3 +1,3 @@\n {\n-  "n": 0\n+  "n": 2\n }\n'
    assert response.text == f"--- a/x.json\n+++ b/x.json\n{hunk}"
    assert get(x, "x/-/diff?from=0&to=2", If_None_Match=response.headers["ETag"]).status_code == 304


@pytest.mark.parametrize(
    ("query", "heads"),
    [
        ("", ["--- /dev/null", "+++ b/x.yaml"]),
        ("?to=1", ["--- a/x.json", "+++ b/x.json"]),
        ("?to=0", ["--- /dev/null", "+++ b/x.json"]),
        ("?to=3", ["--- a/x.json", "+++ /dev/null"]),
        ("?from=3&to=0", ["--- /dev/null", "+++ b/x.json"]),
        ("?from=2", ["--- a/x.json", "+++ /dev/null", "--- /dev/null", "+++ b/x.yaml"]),
        ("?from=1&to=1", []),
        ("?from=3&to=3", []),
    ],
)
def test_a_difference_is_from_the_version_before_to_the_newest_unless_told(
    x: FlaskClient, query: str, heads: list[str]
) -> None:
    lines = get(x, f"x/-/diff{query}").text.splitlines()
    assert [line for line in lines if line.startswith(("---", "+++"))] == heads


@pytest.mark.parametrize(
    ("query", "operations"),
    [
        ("?from=0&to=2", [{"op": "replace", "path": "/n", "value": 2}]),
        ("?from=2&to=4", [{"op": "replace", "path": "/n", "value": 4}]),
        ("?to=0", [{"op": "add", "path": "/n", "value": 0}]),
        ("?from=1&to=1", []),
    ],
)
def test_a_difference_is_told_as_a_patch(x: FlaskClient, query: str, operations: list[Any]) -> None:
    response = get(x, f"x/-/diff{query}", Accept=PATCH)
    assert (response.content_type, told(response)) == (PATCH, operations)


@pytest.mark.parametrize("query", ["", "?to=3", "?from=3&to=0"])
def test_no_patch_leads_to_or_from_a_deletion(x: FlaskClient, query: str) -> None:
    assert refusal(get(x, f"x/-/diff{query}", Accept=PATCH)) == (410, "version-deleted")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/plain", DIFF),
        ("*/*", DIFF),
        (f"{PATCH}, {DIFF};q=0.5", PATCH),
        ("text/html", None),
        (JSON, None),
    ],
)
def test_a_difference_is_what_the_client_accepts(x: FlaskClient, accept: str, media_type: str | None) -> None:
    response = get(x, "x/-/diff?from=0&to=1", Accept=accept)
    if media_type is None:
        assert refusal(response) == (406, "not-acceptable")
    else:
        assert (response.mimetype, response.headers["Vary"]) == (media_type, "Accept")


def test_an_old_version_becomes_the_newest(x: FlaskClient) -> None:
    old = get(x, "x?version=1")
    response = rolled_back(x, {"version": 1})
    assert (response.status_code, told(response)["version"], told(response)["format"]) == (200, 5, "json")
    assert get(x, "x").data == old.data
    message = told(get(x, "x/-/versions/5"))["message"]
    assert message == "Roll x back to version 1\n\nConfig-Operation: rollback\n"
    assert told(rolled_back(x, {"version": 5}))["changed"] is False


def test_an_integer_may_be_written_as_json_schema_allows(x: FlaskClient) -> None:
    assert told(rolled_back(x, '{"version": 1.0}'))["version"] == 5


def test_a_deleted_service_is_brought_back(x: FlaskClient) -> None:
    remove(x, "x")
    response = rolled_back(x, {"version": 2})
    assert (response.status_code, told(response)["version"]) == (200, 6)
    assert get(x, "x").get_json() == {"n": 2}


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("x", {"version": 3}, (410, "version-deleted")),
        ("x", {"version": 9}, (404, "version-not-found")),
        ("y", {"version": 0}, (404, "service-not-found")),
        ("X", {"version": 0}, (400, "name-invalid")),
        ("x", {}, (400, "request-invalid")),
        ("x", {"version": "1"}, (400, "request-invalid")),
        ("x", {"version": True}, (400, "request-invalid")),
        ("x", {"version": 1.5}, (400, "request-invalid")),
        ("x", {"version": -1}, (400, "request-invalid")),
        ("x", {"version": 10**30}, (400, "request-invalid")),
        ("x", {"version": None}, (400, "request-invalid")),
        ("x", {"version": 1, "more": 1}, (400, "request-invalid")),
        ("x", [], (400, "request-invalid")),
        ("x", "", (400, "request-invalid")),
        ("x", "{", (400, "document-invalid")),
        ("x", '{"version": 1, "version": 2}', (400, "document-invalid")),
    ],
)
def test_a_way_back_that_does_not_exist_is_refused(
    x: FlaskClient, name: str, body: Any, expected: tuple[int, str]
) -> None:
    before = revision(x)
    assert refusal(rolled_back(x, body, name)) == expected
    assert revision(x) == before
