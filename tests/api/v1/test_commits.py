"""`POST /api/v1/commits`: many changes, one commit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.v1.calls import (
    COMMITS,
    JSON,
    SCHEMAS,
    YAML,
    commit,
    get,
    put,
    put_schema,
    refusal,
    revision,
    send,
    told,
)


def changes_of_every_kind() -> list[dict[str, Any]]:
    return [
        {"op": "put", "service": "new", "value": {"a": 1}},
        {"op": "put", "service": "text", "document": "# kept\na:   1\n", "format": "yaml"},
        {"op": "merge-patch", "service": "merged", "patch": {"a": 2}},
        {"op": "json-patch", "service": "patched", "patch": [{"op": "remove", "path": "/a"}]},
        {"op": "meta", "service": "gone", "enabled": False},
        {"op": "delete", "service": "gone"},
        {"op": "rollback", "service": "old", "version": 0},
        {"op": "meta", "service": "merged", "owner": "me", "description": None},
        {"op": "put-schema", "schema": "new", "value": {"type": "object"}},
        {"op": "put-schema", "schema": "below/-/default", "value": {}},
        {"op": "delete-schema", "schema": "-/default"},
    ]


@pytest.fixture
def full(client: FlaskClient) -> FlaskClient:
    """Return a client of all that `changes_of_every_kind` changes."""
    for name in ("merged", "patched", "gone", "old"):
        put(client, name, {"a": 1})
    put(client, "old", {"a": 2})
    put_schema(client, "-/default", {})
    return client


def test_changes_of_every_kind_are_one_commit(full: FlaskClient) -> None:
    before = revision(full)
    response = commit(
        full, *changes_of_every_kind(), message="All of it\n\nbecause", expected_revision=before
    )
    body = told(response)
    assert response.status_code == 200
    assert (body["revision"], body["changed"], revision(full)) == (before + 1, True, before + 1)
    shown = [(made["service"], made["version"], made["deleted"]) for made in body["versions"]]
    live = [("merged", 1), ("new", 0), ("old", 2), ("patched", 1), ("text", 0)]
    assert shown == sorted([*((name, version, False) for name, version in live), ("gone", 1, True)])
    for made in body["versions"]:
        assert made["etag"] == (None if made["deleted"] else get(full, made["service"]).headers["ETag"])
    assert get(full, "text").text == "# kept\na:   1\n"
    landed = told(full.get(f"{COMMITS}/{body['commit_id']}"))
    assert landed["message"].startswith("All of it\n\nbecause\n\nConfig-Operation: put, ")
    assert len(landed["services"]) == 6
    schemas = [item["schema"] for item in told(full.get(SCHEMAS))["items"]]
    assert schemas == ["below/-/default", "new"]


@pytest.mark.parametrize("bad", range(len(changes_of_every_kind())))
def test_one_bad_change_leaves_everything_and_is_named(full: FlaskClient, bad: int) -> None:
    changes = changes_of_every_kind()
    changes[bad]["if_match"] = '"9-0123456789abcdef-json"'
    before = revision(full)
    response = commit(full, *changes)
    assert refusal(response) == (412, "precondition-failed")
    detail = told(response)["details"][0]
    subject = {name: detail[name] for name in ("index", "service") if name in detail}
    named = {"service": changes[bad]["service"]} if "service" in changes[bad] else {}
    assert subject == {"index": bad, **named}
    assert revision(full) == before


def test_a_hundred_services_are_one_commit_or_none(client: FlaskClient) -> None:
    changes: list[Any] = [{"op": "put", "service": f"s{n:03}", "value": {"n": n}} for n in range(100)]
    bad = [
        *changes[:57],
        {"op": "put", "service": "s057", "document": "a: [", "format": "yaml"},
        *changes[58:],
    ]
    response = commit(client, *bad)
    assert refusal(response) == (400, "document-invalid")
    (detail,) = told(response)["details"]
    assert (detail["index"], detail["service"], detail["pointer"]) == (57, "s057", "/a/0")
    assert revision(client) == 1
    body = told(commit(client, *changes))
    assert (body["revision"], len(body["versions"]), revision(client)) == (2, 100, 2)


def test_values_are_stored_as_they_are_spelled_in_the_body(client: FlaskClient) -> None:
    value = (
        '{"z": 1.0, "a": 1e2, "n": -0.0, "big": 12345678901234567890.10, "s": "\\u00e9\\/", "o": {"y":[ ]}}'
    )
    body = f'{{"changes" : [ {{"value" :{value}, "service": "x", "op": "put"}}]}}'
    assert send(client, "POST", COMMITS, body).status_code == 200
    stored = get(client, "x").text
    assert stored.split("\n")[1:6] == [
        '  "z": 1.0,',
        '  "a": 1e2,',
        '  "n": -0.0,',
        '  "big": 12345678901234567890.10,',
        '  "s": "\\u00e9\\/",',
    ]


def test_a_value_edits_a_yaml_document_and_a_text_replaces_it(client: FlaskClient) -> None:
    put(client, "x", "# kept\na: 1\n", YAML)
    commit(client, {"op": "put", "service": "x", "value": {"a": 2}})
    assert get(client, "x").text == "# kept\na: 2\n"
    commit(client, {"op": "put", "service": "x", "document": '{"a": 3}', "format": "json"})
    assert get(client, "x").content_type == JSON


def test_a_commit_that_changes_nothing_makes_none(client: FlaskClient) -> None:
    put(client, "x", {"a": 1})
    body = told(commit(client, {"op": "merge-patch", "service": "x", "patch": {"a": 1}}))
    assert (body["changed"], body["versions"], body["revision"]) == (False, [], 2)


def test_a_repository_that_has_moved_on_is_told(client: FlaskClient) -> None:
    put(client, "x", {})
    response = commit(client, {"op": "put", "service": "y", "value": {}}, expected_revision=1)
    assert refusal(response) == (412, "revision-mismatch")
    assert told(response)["details"] == [{"revision": 2}]


def test_a_dry_run_of_many_changes_writes_nothing(full: FlaskClient) -> None:
    before = revision(full)
    body = told(commit(full, *changes_of_every_kind(), query="?dry_run=true"))
    assert (body["dry_run"], body["changed"], len(body["versions"])) == (True, True, 6)
    assert [each["path"] for each in body["diffs"]] == sorted(each["path"] for each in body["diffs"])
    assert revision(full) == before


def test_a_repeated_commit_happens_once(client: FlaskClient) -> None:
    change = {"op": "put", "service": "x", "value": {}}
    body = {"changes": [change]}
    first, again = (send(client, "POST", COMMITS, body, Config_Request_Id="once") for _ in range(2))
    assert first.data == again.data
    assert revision(client) == 2


X = {"op": "put", "service": "x", "value": {}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (1, "request-invalid"),
        ({}, "request-invalid"),
        ({"op": 1}, "request-invalid"),
        ({"op": "get", "service": "x"}, "request-invalid"),
        ({"op": "put", "service": "x"}, "request-invalid"),
        ({"op": "put", "value": {}}, "request-invalid"),
        ({"op": "put", "service": 1, "value": {}}, "request-invalid"),
        ({"op": "put", "service": "X", "value": {}}, "name-invalid"),
        ({"op": "put", "service": "x", "value": []}, "document-invalid"),
        ({"op": "put", "service": "x", "value": None}, "document-invalid"),
        ({"op": "put", "service": "x", "document": "{}"}, "request-invalid"),
        ({"op": "put", "service": "x", "document": "{}", "format": "toml"}, "request-invalid"),
        ({"op": "put", "service": "x", "document": {}, "format": "json"}, "request-invalid"),
        ({"op": "put", "service": "x", "document": "[]", "format": "json"}, "document-invalid"),
        ({"op": "put", "service": "x", "value": {}, "document": "{}", "format": "json"}, "request-invalid"),
        ({"op": "put", "service": "x", "value": {}, "enabled": True}, "request-invalid"),
        ({"op": "put", "service": "x", "value": {}, "if_match": 1}, "request-invalid"),
        ({"op": "put", "service": "x", "value": {}, "if_match": "x"}, "request-invalid"),
        ({"op": "put", "service": "x", "value": {}, "if_none_match": '"x"'}, "request-invalid"),
        ({"op": "merge-patch", "service": "x"}, "request-invalid"),
        ({"op": "rollback", "service": "x"}, "request-invalid"),
        ({"op": "rollback", "service": "x", "version": "0"}, "request-invalid"),
        ({"op": "meta", "service": "x", "enabled": 1}, "request-invalid"),
        ({"op": "put-schema", "schema": "x"}, "request-invalid"),
        ({"op": "put-schema", "schema": "X", "value": {}}, "name-invalid"),
        ({"op": "put-schema", "schema": "/-/default", "value": {}}, "name-invalid"),
        ({"op": "put-schema", "schema": "x", "value": []}, "document-invalid"),
        ({"op": "delete-schema", "service": "x"}, "request-invalid"),
    ],
)
def test_a_malformed_change_is_named(client: FlaskClient, change: Any, code: str) -> None:
    response = commit(client, X | {"service": "first"}, change)
    assert refusal(response) == (400, code)
    assert told(response)["details"][0]["index"] == 1
    assert revision(client) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", (400, "request-invalid")),
        ("[]", (400, "request-invalid")),
        ("{}", (400, "request-invalid")),
        ('{"changes": {}}', (400, "request-invalid")),
        ('{"changes": []}', (400, "request-invalid")),
        ('{"changes": null}', (400, "request-invalid")),
        ({"changes": [X], "more": 1}, (400, "request-invalid")),
        ({"changes": [X], "message": 1}, (400, "request-invalid")),
        ({"changes": [X], "message": "x" * 4097}, (400, "request-invalid")),
        ({"changes": [X], "expected_revision": "1"}, (400, "request-invalid")),
        ({"changes": [X, X]}, (400, "request-invalid")),
        ({"changes": [X | {"service": f"s{n}"} for n in range(1001)]}, (400, "request-invalid")),
        ('{"changes": [], "changes": []}', (400, "document-invalid")),
        ('{"changes": [NaN]}', (400, "document-invalid")),
        ('{"changes": ' + "[" * 100 + "]" * 100 + "}", (400, "document-invalid")),
        ("[" * 100_000, (400, "document-invalid")),
        (b"\xff", (400, "document-invalid")),
        (b'{"changes":[' + b"1," * 1_000_001 + b"1]}", (413, "document-too-large")),
        (b" " * ((16 << 20) + 1), (413, "request-too-large")),
    ],
)
def test_a_body_that_is_no_commit_is_refused(
    client: FlaskClient, body: Any, expected: tuple[int, str]
) -> None:
    assert refusal(send(client, "POST", COMMITS, body)) == expected
    assert revision(client) == 1


def test_a_commit_of_another_type_or_with_a_parameter_is_refused(client: FlaskClient) -> None:
    body = {"changes": [X]}
    assert refusal(send(client, "POST", COMMITS, body, YAML)) == (415, "media-type-unsupported")
    assert refusal(send(client, "POST", f"{COMMITS}?message=x", body)) == (400, "request-invalid")


@pytest.mark.slow
def test_each_document_of_a_commit_has_its_own_bound_and_all_have_one(client: FlaskClient) -> None:
    half = {"text": "x" * (600 << 10)}
    changes = [{"op": "put", "service": f"s{n}", "value": half} for n in range(20)]
    assert commit(client, *changes).status_code == 200
    response = commit(client, {"op": "put", "service": "x", "value": {"text": "x" * (1 << 20)}})
    assert refusal(response) == (413, "document-too-large")
    assert told(response)["details"][0]["index"] == 0


def test_a_document_and_its_schema_change_together(client: FlaskClient) -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
    put(client, "x", {"a": "text"})
    assert refusal(put_schema(client, "x", schema)) == (422, "schema-violation")
    changes = [
        {"op": "put-schema", "schema": "x", "value": schema},
        {"op": "put", "service": "x", "value": {"a": 1}},
    ]
    assert commit(client, *changes).status_code == 200
    response = commit(client, {"op": "put", "service": "y", "value": {}}, changes[1] | {"value": {}})
    assert refusal(response) == (422, "schema-violation")
    assert [detail["index"] for detail in told(response)["details"]] == [1]
    assert json.loads(get(client, "x").data) == {"a": 1}
