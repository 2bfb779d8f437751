"""Schemas as resources, and what they say of documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.v1.calls import (
    JSON,
    SCHEMA,
    SCHEMAS,
    YAML,
    get,
    patch,
    put,
    put_schema,
    refusal,
    revision,
    send,
    told,
)

VALIDATE = "/api/v1/validate?service="
NAMES = ["payments/api", "payments/-/default", "-/default"]
FILES = ["payments/api.json", "payments/_default.json", "_default.json"]
WHOLE = {"type": "object", "additionalProperties": {"type": "integer"}}


@pytest.mark.parametrize(("name", "file"), list(zip(NAMES, FILES, strict=True)))
def test_a_schema_is_written_read_and_deleted(client: FlaskClient, name: str, file: str) -> None:
    url = f"{SCHEMAS}/{name}"
    assert refusal(client.get(url)) == (404, "schema-not-found")
    response = put_schema(client, name, '{"type":"object"}')
    body = told(response)
    assert (response.status_code, body) == (
        200,
        {
            "schema": name,
            "revision": 2,
            "commit_id": body["commit_id"],
            "changed": True,
            "deleted": False,
            "etag": response.headers["ETag"],
        },
    )
    read = client.get(url)
    assert (read.text, read.content_type) == ('{\n  "type": "object"\n}\n', SCHEMA)
    assert read.headers["ETag"] == response.headers["ETag"]
    assert send(client, "GET", url, If_None_Match=response.headers["ETag"]).status_code == 304
    assert told(put_schema(client, name, {"type": "object"}))["changed"] is False
    commit = told(client.get(f"/api/v1/commits/{body['commit_id']}"))
    assert commit["message"] == f"Set schema {file}\n\nConfig-Operation: put-schema\n"
    deleted = told(client.delete(url))
    assert (deleted["deleted"], deleted["etag"], deleted["revision"]) == (True, None, 3)
    assert refusal(client.delete(url)) == (404, "schema-not-found")


@pytest.mark.parametrize("accept", [SCHEMA, JSON, "*/*", "application/*"])
def test_a_schema_is_answered_to_whoever_accepts_it(client: FlaskClient, accept: str) -> None:
    put_schema(client, "x", {})
    assert send(client, "GET", f"{SCHEMAS}/x", Accept=accept).status_code == 200
    assert refusal(send(client, "GET", f"{SCHEMAS}/x", Accept="text/html")) == (406, "not-acceptable")


@pytest.mark.parametrize(
    "name", ["X", "x.json", "a//b", "-/default/x", "X/-/default", "_default", "a/_default"]
)
def test_what_is_no_name_of_a_schema_is_refused(client: FlaskClient, name: str) -> None:
    response = put_schema(client, name, {})
    assert response.status_code in (400, 404)
    assert told(response)["code"] in ("name-invalid", "not-found")
    assert revision(client) == 1


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ("", SCHEMA, (400, "request-invalid")),
        ("{", SCHEMA, (400, "document-invalid")),
        ("[]", SCHEMA, (400, "document-invalid")),
        ("true", SCHEMA, (400, "document-invalid")),
        ({"type": "strin"}, SCHEMA, (422, "schema-violation")),
        ({"$ref": "https://example.com/x.json"}, SCHEMA, (422, "schema-violation")),
        ({"properties": {"a": {"pattern": "["}}}, SCHEMA, (422, "schema-violation")),
        ({}, YAML, (415, "media-type-unsupported")),
        ({}, "application/merge-patch+json", (415, "media-type-unsupported")),
        (b" " * ((256 << 10) + 1), SCHEMA, (413, "document-too-large")),
    ],
)
def test_what_is_no_schema_is_refused(
    client: FlaskClient, body: Any, kind: str, expected: tuple[int, str]
) -> None:
    assert refusal(send(client, "PUT", f"{SCHEMAS}/x", body, kind)) == expected
    assert revision(client) == 1


def test_a_schema_is_refused_with_the_services_that_it_would_break(client: FlaskClient) -> None:
    for number in range(4):
        put(client, f"payments/s{number}", {"n": number if number % 2 else "text"})
    put(client, "other", {"n": "text"})
    response = put_schema(client, "payments/-/default", WHOLE)
    assert refusal(response) == (422, "schema-violation")
    assert {detail["path"] for detail in told(response)["details"]} == {
        "payments/s0.json",
        "payments/s2.json",
    }


JSON_TEXT = "{\n" + ",\n".join(f'  "k{n:02}": "x"' for n in range(25)) + "\n}\n"
YAML_TEXT = "# a comment\n" + "".join(f"k{n:02}:   x\n" for n in range(25))


@pytest.mark.parametrize(
    ("text", "kind", "first_line", "column"), [(JSON_TEXT, JSON, 2, 10), (YAML_TEXT, YAML, 2, 8)]
)
@pytest.mark.parametrize("call", ["put", "validate", "dry run"])
def test_twenty_five_violations_are_told_at_once_each_with_its_place(
    client: FlaskClient, text: str, kind: str, first_line: int, column: int, call: str
) -> None:
    put_schema(client, "x", WHOLE)
    if call == "validate":
        body = told(send(client, "POST", f"{VALIDATE}x", text, kind))
        assert body["valid"] is False
        found = body["violations"]
    else:
        response = put(client, "x?dry_run=true" if call == "dry run" else "x", text, kind)
        assert refusal(response) == (422, "schema-violation")
        found = told(response)["details"]
    places = [(each["pointer"], each["line"], each["column"]) for each in found]
    assert places == [(f"/k{n:02}", first_line + n, column) for n in range(25)]
    assert all(each["message"] for each in found)
    assert revision(client) == 2


def test_a_patch_is_judged_as_a_whole(client: FlaskClient) -> None:
    put_schema(client, "x", WHOLE)
    put(client, "x", {"a": 1})
    response = patch(client, "x", {"b": "text"})
    assert refusal(response) == (422, "schema-violation")
    assert [detail["pointer"] for detail in told(response)["details"]] == ["/b"]


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("{}", JSON, None),
        ("{", JSON, (1, 2)),
        ('{\n  "a": 1,\n  "a": 2\n}', JSON, (3, 3)),
        ("a: 1\na: 2\n", YAML, (2, 1)),
        ("[]", JSON, (1, 1)),
        (b'{"a": "\xff"}', JSON, (1, 8)),
    ],
)
def test_what_is_wrong_with_the_text_itself_is_a_violation(
    client: FlaskClient, text: Any, kind: str, place: tuple[int, int] | None
) -> None:
    response = send(client, "POST", f"{VALIDATE}x", text, kind)
    assert response.status_code == 200
    violations = told(response)["violations"]
    assert [(each["line"], each["column"]) for each in violations] == ([] if place is None else [place])
    assert told(response)["valid"] is (place is None)


@pytest.mark.parametrize(
    ("query", "body", "kind", "expected"),
    [
        ("service=X", "{}", JSON, (400, "name-invalid")),
        ("", "{}", JSON, (400, "request-invalid")),
        ("service=x&y=1", "{}", JSON, (400, "request-invalid")),
        ("service=x", "", JSON, (400, "request-invalid")),
        ("service=x", "{}", "text/plain", (415, "media-type-unsupported")),
        ("service=x", b" " * ((1 << 20) + 1), JSON, (413, "document-too-large")),
    ],
)
def test_what_cannot_be_judged_is_refused(
    client: FlaskClient, query: str, body: Any, kind: str, expected: tuple[int, str]
) -> None:
    assert refusal(send(client, "POST", f"/api/v1/validate?{query}", body, kind)) == expected


def test_a_schema_speaks_for_itself(client: FlaskClient) -> None:
    schema = {"properties": {"a": {"type": "integer", "errorMessage": "a is how many there are"}}}
    put_schema(client, "x", schema)
    (violation,) = told(send(client, "POST", f"{VALIDATE}x", {"a": "b"}))["violations"]
    assert "a is how many there are" in violation["message"]
    assert json.loads(get(client, "x").data)["code"] == "service-not-found"
