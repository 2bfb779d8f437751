"""Every call that writes, with a condition that is missing, stale, right, or about what does not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.service import ConfigService
from configsvc.store.memory import MemoryStore
from tests.api.v1.calls import (
    COMMITS,
    CONFIGS,
    JSON,
    MERGE,
    PATCH,
    SCHEMA,
    SCHEMAS,
    commit,
    put,
    put_schema,
    refusal,
    revision,
    send,
    told,
)

NAME = "team/web"
DOCUMENT = f"{CONFIGS}/{NAME}"


@dataclass(frozen=True)
class Call:
    """A call that writes.

    Args:
        resource: Whose tag its condition is about.
        change: What it would be in a commit, without a condition.
    """

    method: str
    path: str
    body: Any
    kind: str
    resource: str
    change: dict[str, Any]

    def alone(self, client: FlaskClient, **headers: str) -> TestResponse:
        return send(client, self.method, self.path, self.body, self.kind, **headers)

    def in_commit(self, client: FlaskClient, **headers: str) -> TestResponse:
        conditions = {name.lower(): text for name, text in headers.items()}
        return commit(client, self.change | conditions)


def schema_calls(name: str) -> list[Call]:
    url = f"{SCHEMAS}/{name}"
    put_change = {"op": "put-schema", "schema": name, "value": {"title": "new"}}
    return [
        Call("PUT", url, {"title": "new"}, SCHEMA, url, put_change),
        Call("DELETE", url, None, JSON, url, {"op": "delete-schema", "schema": name}),
    ]


CALLS = [
    Call("PUT", DOCUMENT, {"n": 9}, JSON, DOCUMENT, {"op": "put", "service": NAME, "value": {"n": 9}}),
    Call(
        "PATCH",
        DOCUMENT,
        {"n": 9},
        MERGE,
        DOCUMENT,
        {"op": "merge-patch", "service": NAME, "patch": {"n": 9}},
    ),
    Call(
        "PATCH",
        DOCUMENT,
        [{"op": "add", "path": "/n", "value": 9}],
        PATCH,
        DOCUMENT,
        {"op": "json-patch", "service": NAME, "patch": [{"op": "add", "path": "/n", "value": 9}]},
    ),
    Call("DELETE", DOCUMENT, None, JSON, DOCUMENT, {"op": "delete", "service": NAME}),
    Call(
        "POST",
        f"{DOCUMENT}/-/rollback",
        {"version": 0},
        JSON,
        DOCUMENT,
        {"op": "rollback", "service": NAME, "version": 0},
    ),
    Call(
        "PATCH",
        f"{DOCUMENT}/-/meta",
        {"owner": "new"},
        MERGE,
        f"{DOCUMENT}/-/meta",
        {"op": "meta", "service": NAME, "owner": "new"},
    ),
    *schema_calls(NAME),
    *schema_calls("team/-/default"),
    *schema_calls("-/default"),
]
WAYS: list[Callable[..., TestResponse]] = [Call.alone, Call.in_commit]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}"),
    pytest.mark.parametrize(
        "way",
        [
            pytest.param(WAYS[0], id="alone"),
            pytest.param(WAYS[1], id="in a commit", marks=pytest.mark.thorough),
        ],
    ),
]


@pytest.fixture
def service(store: MemoryStore) -> ConfigService:
    """Return a service without schemas' part of the gate, which has no say here."""
    return ConfigService(store)


def settle(client: FlaskClient, number: int) -> None:
    """Bring everything that the calls change into its `number`th state."""
    put(client, NAME, {"n": number})
    send(client, "PATCH", f"{DOCUMENT}/-/meta", {"enabled": False, "owner": f"owner {number}"})
    for schema in (NAME, "team/-/default", "-/default"):
        put_schema(client, schema, {"title": f"state {number}"})


@pytest.fixture
def stale_tags(client: FlaskClient) -> dict[str, str]:
    """Bring everything into its second state; return the tags of the first."""
    settle(client, 0)
    tags = {call.resource: current_tag(client, call) for call in CALLS}
    settle(client, 1)
    return tags


def current_tag(client: FlaskClient, call: Call) -> str:
    return client.get(call.resource).headers["ETag"]


@pytest.mark.usefixtures("stale_tags")
def test_a_write_without_a_condition_is_done(client: FlaskClient, call: Call, way: Any) -> None:
    before = revision(client)
    response = way(call, client)
    assert (response.status_code, told(response)["changed"]) == (200, True)
    assert revision(client) == before + 1


def test_a_write_on_a_state_that_has_passed_is_refused(
    client: FlaskClient, stale_tags: dict[str, str], call: Call, way: Any
) -> None:
    before = revision(client)
    response = way(call, client, If_Match=stale_tags[call.resource])
    assert refusal(response) == (412, "precondition-failed")
    assert revision(client) == before
    if call.resource == DOCUMENT:
        (detail,) = told(response)["details"]
        assert (detail["version"], detail["etag"]) == (1, current_tag(client, call))
        assert '-  "n": 0\n+  "n": 1\n' in detail["diff"]


def test_a_write_on_the_state_that_it_names_is_done(
    client: FlaskClient, stale_tags: dict[str, str], call: Call, way: Any
) -> None:
    tag = current_tag(client, call)
    assert tag != stale_tags[call.resource]
    response = way(call, client, If_Match=f'"other", {tag}')
    assert (response.status_code, told(response)["changed"]) == (200, True)


@pytest.mark.usefixtures("stale_tags")
@pytest.mark.parametrize(
    "header", ["W/{}", '"other"', '"0-0000000000000000-json"', '"0000000000000000-schema"']
)
def test_a_weak_tag_or_another_one_matches_nothing(
    client: FlaskClient, call: Call, way: Any, header: str
) -> None:
    before = revision(client)
    response = way(call, client, If_Match=header.format(current_tag(client, call)))
    assert refusal(response) == (412, "precondition-failed")
    assert revision(client) == before


@pytest.mark.usefixtures("stale_tags")
def test_a_write_of_something_new_is_refused_where_something_stands(
    client: FlaskClient, call: Call, way: Any
) -> None:
    before = revision(client)
    assert refusal(way(call, client, If_None_Match="*")) == (412, "precondition-failed")
    assert revision(client) == before


@pytest.mark.usefixtures("stale_tags")
def test_a_write_of_something_that_stands_is_done(client: FlaskClient, call: Call, way: Any) -> None:
    assert way(call, client, If_Match="*").status_code == 200


@pytest.mark.parametrize("condition", ["*", '"0-0123456789abcdef-json", "0123456789abcdef-schema"'])
def test_a_condition_on_what_does_not_exist_fails(
    client: FlaskClient, call: Call, way: Any, condition: str
) -> None:
    assert refusal(way(call, client, If_Match=condition)) == (412, "precondition-failed")
    assert revision(client) == 1


def test_something_new_is_made_where_nothing_stands(client: FlaskClient, call: Call, way: Any) -> None:
    response = way(call, client, If_None_Match="*")
    if call.method == "PUT":
        assert response.status_code == (201 if (call.resource, way) == (DOCUMENT, Call.alone) else 200)
    else:
        assert response.status_code == 404


@pytest.mark.usefixtures("stale_tags")
@pytest.mark.parametrize(
    "headers", [{"If_Match": "x"}, {"If_Match": ""}, {"If_None_Match": '"x"'}, {"If_Match": '"a" "b"'}]
)
def test_a_malformed_condition_is_refused(
    client: FlaskClient, call: Call, way: Any, headers: dict[str, str]
) -> None:
    before = revision(client)
    assert refusal(way(call, client, **headers)) == (400, "request-invalid")
    assert revision(client) == before


@pytest.mark.usefixtures("stale_tags")
def test_a_dry_run_is_held_to_the_condition_too(client: FlaskClient, call: Call, way: Any) -> None:
    before = revision(client)
    path = COMMITS if way is Call.in_commit else call.path
    body = {"changes": [call.change | {"if_match": '"other"'}]} if way is Call.in_commit else call.body
    method, kind = ("POST", JSON) if way is Call.in_commit else (call.method, call.kind)
    headers = {} if way is Call.in_commit else {"If_Match": '"other"'}
    response = send(client, method, f"{path}?dry_run=true", body, kind, **headers)
    assert refusal(response) == (412, "precondition-failed")
    assert revision(client) == before
