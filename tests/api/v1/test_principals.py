"""Principals over HTTP: made, listed, their tokens rotated and revoked."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.v1.calls import refusal, told

URL = "/api/v1/principals"


def token(name: str) -> str:
    return f"token-of-{name}".ljust(40, "-")


def sha256(name: str) -> str:
    return hashlib.sha256(token(name).encode()).hexdigest()


def by(name: str, **more: str) -> dict[str, str]:
    """Return the headers of a request that a principal makes; `_` for `-`."""
    headers = {key.replace("_", "-"): value for key, value in more.items()}
    return {"Authorization": f"Bearer {token(name)}", **headers}


def make(client: FlaskClient, name: str, role: str = "reader", **members: object) -> TestResponse:
    body = {"name": name, "roles": {"**": role}, "token": {"sha256": sha256(name)}, **members}
    return client.post(URL, json=body, headers=by("ops"))


@pytest.fixture
def ops(client: FlaskClient) -> dict[str, Any]:
    """An admin: the first principal, made on the open server."""
    response = make(client, "ops", "admin")
    assert response.status_code == 201
    assert response.headers["Location"] == f"{URL}/ops"
    made: dict[str, Any] = told(response)
    return made


def test_the_first_principal_closes_the_server(client: FlaskClient) -> None:
    assert client.get(URL).get_json()["items"] == []
    assert refusal(make(client, "bot", "writer")) == (409, "principals-conflict")
    assert make(client, "ops", "admin").status_code == 201
    assert refusal(client.get(URL)) == (401, "unauthorized")
    assert refusal(client.post(URL, json={})) == (401, "unauthorized")
    assert [item["name"] for item in client.get(URL, headers=by("ops")).get_json()["items"]] == ["ops"]


@pytest.mark.usefixtures("ops")
def test_what_is_told_of_a_token_is_its_id(client: FlaskClient) -> None:
    made = {"created": "2026-10-01T09:00:00Z", "expires": "2999-01-01T00:00:00Z"}
    texts = {"description": "deploys", "email": "bot@example.com", "unix_user": "bot"}
    response = make(client, "bot", "writer", token={"sha256": sha256("bot"), **made}, **texts)
    assert response.status_code == 201
    assert client.get(f"{URL}/bot", headers=by("ops")).get_json() == {
        "name": "bot",
        "roles": {"**": "writer"},
        "tokens": [{"id": sha256("bot")[:8], **made}],
        **texts,
    }


def test_a_list_is_paged_and_of_one_revision(client: FlaskClient, ops: dict[str, Any]) -> None:
    for name in ("a", "b", "c"):
        make(client, name)
    first = client.get(f"{URL}?limit=3", headers=by("ops")).get_json()
    rest = client.get(f"{URL}?cursor={first['next_cursor']}", headers=by("ops")).get_json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c", "ops"]
    assert (first["revision"], rest["next_cursor"]) == (ops["revision"] + 3, None)


@pytest.mark.usefixtures("ops")
def test_a_rotated_token_and_the_old_one_go_on_for_the_overlap(client: FlaskClient) -> None:
    make(client, "bot")
    url = f"{URL}/bot/-/rotate"
    assert client.post(url, json={"token": {"sha256": sha256("new")}}, headers=by("ops")).status_code == 200
    for name in ("bot", "new"):
        assert client.get("/api/v1/configs", headers=by(name)).status_code == 200
    body = {"token": {"sha256": sha256("newer")}, "overlap_s": 0}
    assert client.post(url, json=body, headers=by("ops")).status_code == 200
    statuses = [
        client.get("/api/v1/configs", headers=by(name)).status_code for name in ("bot", "new", "newer")
    ]
    assert statuses == [401, 401, 200]


@pytest.mark.usefixtures("ops")
def test_a_revoked_token_and_a_removed_principal_fail_on_the_next_request(client: FlaskClient) -> None:
    make(client, "bot")
    client.post(f"{URL}/bot/-/rotate", json={"token": {"sha256": sha256("new")}}, headers=by("ops"))
    assert client.delete(f"{URL}/bot/-/tokens/{sha256('bot')[:8]}", headers=by("ops")).status_code == 200
    assert client.get("/api/v1/configs", headers=by("bot")).status_code == 401
    assert client.get("/api/v1/configs", headers=by("new")).status_code == 200
    assert client.delete(f"{URL}/bot", headers=by("ops")).status_code == 200
    assert client.get("/api/v1/configs", headers=by("new")).status_code == 401
    assert refusal(client.delete(f"{URL}/bot", headers=by("ops"))) == (404, "principal-not-found")


@pytest.mark.usefixtures("ops")
def test_the_last_admin_stays(client: FlaskClient) -> None:
    for url in (f"{URL}/ops", f"{URL}/ops/-/tokens/{sha256('ops')[:8]}"):
        assert refusal(client.delete(url, headers=by("ops"))) == (409, "principals-conflict")
    assert client.get(URL, headers=by("ops")).status_code == 200


@pytest.mark.usefixtures("ops")
def test_a_write_holds_to_if_match(client: FlaskClient) -> None:
    make(client, "bot")
    tag = client.get(f"{URL}/bot", headers=by("ops")).headers["ETag"]
    assert client.get(f"{URL}/bot", headers=by("ops", If_None_Match=tag)).status_code == 304
    rotation = {"token": {"sha256": sha256("new")}}
    url = f"{URL}/bot/-/rotate"
    assert client.post(url, json=rotation, headers=by("ops", If_Match=tag)).status_code == 200
    assert refusal(client.delete(f"{URL}/bot", headers=by("ops", If_Match=tag))) == (
        412,
        "precondition-failed",
    )
    now = client.get(f"{URL}/bot", headers=by("ops")).headers["ETag"]
    assert client.delete(f"{URL}/bot", headers=by("ops", If_Match=now)).status_code == 200


@pytest.mark.usefixtures("ops")
def test_a_repeat_by_its_request_id_happens_once(client: FlaskClient) -> None:
    headers = by("ops", Config_Request_Id="once")
    body = {"name": "bot", "roles": {"a": "reader"}, "token": {"sha256": sha256("bot")}}
    first, second = (client.post(URL, json=body, headers=headers) for _ in range(2))
    assert first.get_json() == second.get_json()
    other = client.post(URL, json={**body, "name": "other"}, headers=headers)
    assert refusal(other) == (409, "request-id-reused")


@pytest.mark.usefixtures("ops")
def test_a_dry_run_makes_nothing(client: FlaskClient) -> None:
    body = {"name": "bot", "roles": {"a": "reader"}, "token": {"sha256": sha256("bot")}}
    seen = told(client.post(f"{URL}?dry_run=true", json=body, headers=by("ops")))
    assert (seen["dry_run"], seen["changed"]) == (True, True)
    assert [each["path"] for each in seen["diffs"]] == [".configsvc/principals/bot.yaml"]
    assert refusal(client.get(f"{URL}/bot", headers=by("ops"))) == (404, "principal-not-found")


@pytest.mark.usefixtures("ops")
def test_the_commit_is_the_admins_and_says_what_was_done(client: FlaskClient) -> None:
    make(client, "bot")
    client.delete(f"{URL}/bot?message=Left the company", headers=by("ops"))
    left, made = client.get("/api/v1/commits?limit=2", headers=by("ops")).get_json()["items"]
    assert (made["author"], made["message"]) == ("ops <ops@configsvc.invalid>", "Create principal bot\n")
    assert left["message"] == "Left the company\n"


@pytest.mark.usefixtures("ops")
@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"name": None}, "request-invalid", "name: "),
        ({"name": 1}, "request-invalid", "name: another type (expected: a string)"),
        ({"name": "a/b"}, "name-invalid", "principal: 'a/b' has a /"),
        ({"name": "configsvc"}, "name-invalid", "principal: 'configsvc' is a name of the server's own"),
        ({"roles": None}, "request-invalid", "roles: "),
        ({"roles": {"**": "owner"}}, "request-invalid", "roles: another value (expected: path patterns to"),
        ({"roles": {"pay*": "reader"}}, "pattern-invalid", "path pattern: 'pay*'"),
        ({"token": None}, "request-invalid", "token: "),
        ({"token": {"sha256": "x"}}, "request-invalid", "token: without sha256 (expected: 64 hex digits)"),
        ({"token": {"sha256": "0" * 64, "text": "x"}}, "request-invalid", "member: 'text' is not known"),
        ({"token": {"sha256": "0" * 64, "expires": "soon"}}, "document-invalid", "expires: another value"),
        ({"token": {"sha256": "0" * 64, "expires": ""}}, "request-invalid", "expires: is empty"),
        ({"unix_user": ""}, "request-invalid", "unix_user: is empty"),
        ({"description": "\x1b[2J"}, "document-invalid", "description: character U+001B"),
        ({"email": "x"}, "document-invalid", "email: another value"),
        ({"admin": True}, "request-invalid", "member: 'admin' is not known here"),
    ],
)
def test_what_is_wrong_is_named(
    client: FlaskClient, change: dict[str, object], code: str, message: str
) -> None:
    response = make(client, **{"name": "bot", **change})  # type: ignore[arg-type]
    assert refusal(response) == (400, code)
    assert message in response.get_json()["detail"]


@pytest.mark.usefixtures("ops")
@pytest.mark.parametrize("overlap_s", [-1, 1e300, "7", True, None])
def test_an_overlap_is_a_bounded_number_of_seconds(client: FlaskClient, overlap_s: object) -> None:
    body = {"token": {"sha256": sha256("new")}, "overlap_s": overlap_s}
    response = client.post(f"{URL}/ops/-/rotate", json=body, headers=by("ops"))
    assert refusal(response) == (400, "request-invalid")
