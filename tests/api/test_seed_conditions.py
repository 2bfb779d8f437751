from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.app import create_app
from configsvc.core.changes import Outcome, Plan
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import StoreStatus, View, Write
from configsvc.store.memory import MemorySnapshot, MemoryStore
from tests.api.seed_client import create, findings, get, put


def test_answers_name_version_and_revision(client: FlaskClient) -> None:
    create(client, "nginx", {"n": 0}, {"n": 1})
    newest, oldest = get(client), get(client, query="&version=0")
    assert (newest.headers["Config-Version"], oldest.headers["Config-Version"]) == ("1", "0")
    assert newest.headers["Config-Revision"] == oldest.headers["Config-Revision"] == "3"
    for response in (
        get(client, "junk"),
        client.put("/config"),
        client.get("/nowhere"),
        client.get("/healthz"),
    ):
        assert response.headers["Config-Revision"] == "3"


def test_tags_name_version_and_blob(client: FlaskClient) -> None:
    created = create(client, "nginx", {"n": 0})
    first = get(client).headers["ETag"]
    assert first.startswith('"0-')
    assert first.endswith('-seed"')
    assert created.headers["ETag"] == first
    patched = put(client, "PATCH", value={"n": 1})
    assert (
        patched.headers["ETag"]
        == get(client).headers["ETag"]
        == get(client, query="&version=1").headers["ETag"]
    )
    assert get(client, query="&version=0").headers["ETag"] == first


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*", ' {} , W/"y"'])
@pytest.mark.parametrize("versions", [1, 2])
def test_a_known_state_is_not_sent_again(client: FlaskClient, form: str, versions: int) -> None:
    create(client, "nginx", *({"n": number} for number in range(versions)))
    tag = get(client).headers["ETag"]
    response = get(client, headers={"If-None-Match": form.format(tag)})
    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == tag
    assert response.headers["Config-Version"] == str(versions - 1)
    assert "Content-Type" not in response.headers


def test_a_state_that_is_not_known_is_sent(client: FlaskClient) -> None:
    create(client, "nginx", {"n": 0})
    tag = get(client).headers["ETag"]
    put(client, "PATCH", value={"n": 1})
    assert get(client, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("header", ["x", '"x', '"a" "b"', ","])
def test_a_malformed_tag_is_refused(client: FlaskClient, header: str) -> None:
    create(client)
    assert get(client, headers={"If-None-Match": header}).status_code == 400
    assert put(client, "PATCH", headers={"If-Match": header}).status_code == 400


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "flag"])
def test_a_write_on_a_state_that_has_passed_is_refused(client: FlaskClient, method: str) -> None:
    create(client, "nginx", {"n": 0})
    old = get(client).headers["ETag"]
    put(client, "PATCH", value={"n": 1}, query="&enabled=false")

    def write(tag: str) -> TestResponse:
        given = {"If-Match": tag}
        if method == "PATCH":
            return put(client, "PATCH", value={"n": 2}, headers=given)
        if method == "DELETE":
            return client.delete("/config?service=nginx", headers=given)
        return client.patch("/config?service=nginx&enabled=true", headers=given)

    refused = write(old)
    assert (refused.status_code, refused.get_json()["error"]) == (412, 412)
    assert findings(refused)[0]["version"] == 1
    assert get(client, query="&version=2").status_code == 404
    assert write(get(client).headers["ETag"]).status_code == 200


def test_a_tag_of_another_representation_names_the_same_state(client: FlaskClient) -> None:
    create(client)
    tag = get(client).headers["ETag"].replace("-seed", "-json")
    assert put(client, "PATCH", value={"n": 2}, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_write_that_expects_a_missing_service_to_exist_is_refused(client: FlaskClient, method: str) -> None:
    assert put(client, method, headers={"If-Match": "*"}).status_code == 412


def test_a_creation_may_expect_that_there_is_no_such_service(client: FlaskClient) -> None:
    given = {"If-None-Match": "*"}
    assert put(client, "POST", headers=given).status_code == 201
    assert put(client, "POST", headers=given).status_code == 412


def test_a_read_may_expect_a_state(client: FlaskClient) -> None:
    create(client)
    tag = get(client).headers["ETag"]
    assert get(client, headers={"If-Match": tag}).status_code == 200
    assert get(client, headers={"If-Match": '"0-0000000000000000-seed"'}).status_code == 412


@pytest.mark.parametrize("versions", [1, 2])
def test_head_has_the_headers_of_get_and_no_body(client: FlaskClient, versions: int) -> None:
    create(client, "nginx", *({"n": number} for number in range(versions)))
    got, head = get(client), client.head("/config?service=nginx")
    assert head.data == b""
    assert head.status_code == 200
    assert dict(head.headers) == dict(got.headers)
    assert int(head.headers["Content-Length"]) == len(got.data)


def test_a_repeated_write_happens_once(client: FlaskClient) -> None:
    given = {"Config-Request-Id": "deploy-1"}
    first = put(client, "POST", headers=given)
    again = put(client, "POST", headers=given)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.text == first.text
    assert again.headers["Config-Revision"] == first.headers["Config-Revision"] == "2"
    other = put(client, "PATCH", value={"other": 1}, headers=given)
    assert (other.status_code, findings(other)[0]["code"]) == (422, "request-id-reused")


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "a,b", "\u00e9"])
def test_a_malformed_request_id_is_refused(client: FlaskClient, request_id: str) -> None:
    assert put(client, "POST", headers={"Config-Request-Id": request_id}).status_code == 400


class NotingStore:
    """A store that notes the message of every plan."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._store = MemoryStore()

    def snapshot(self) -> MemorySnapshot:
        return self._store.snapshot()

    def submit(self, write: Write) -> Future[Outcome]:
        def plan(view: View) -> Plan:
            planned = write.plan(view)
            self.messages.append(planned.message)
            return planned

        return self._store.submit(write._replace(plan=plan))

    def status(self) -> StoreStatus:
        return self._store.status()

    def listen(self, told: Callable[[Collection[str]], None]) -> Callable[[], None]:
        return self._store.listen(told)

    def close(self) -> None:
        self._store.close()


def committed_message(**options: Any) -> str:
    """Return the message of the commit that a creation makes."""
    store = NotingStore()
    client = create_app(ConfigService(store), Settings()).test_client()
    assert put(client, "POST", **options).status_code == 201
    return store.messages[-1]


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({}, "Create nginx"),
        ({"headers": {"Config-Message": "Raise the limit"}}, "Raise the limit"),
        ({"headers": {"Config-Message": "d\u00e9j\u00e0".encode().decode("latin-1")}}, "d\u00e9j\u00e0"),
        ({"query": "&message=Raise%20the+limit%0a%0abecause"}, "Raise the limit"),
        ({"query": "&message=%1b%5b31mred%e2%80%ae"}, "[31mred"),
    ],
)
def test_a_write_may_say_why(options: dict[str, Any], subject: str) -> None:
    assert committed_message(**options).partition("\n")[0] == subject


def test_a_message_forges_no_trailer() -> None:
    query = "&message=x%0a%0aConfig-Request-Id:%20forged"
    message = committed_message(query=query, headers={"Config-Request-Id": "true"})
    # The true one is the store's to add, behind all that a client sent.
    assert not any(line.startswith("Config-Request-Id:") for line in message.splitlines())


@pytest.mark.parametrize(
    "options",
    [
        {"query": "&message=x", "headers": {"Config-Message": "y"}},
        {"query": "&message=" + "x" * 4097},
        {"headers": {"Config-Message": "\xff"}},
    ],
)
def test_a_message_that_cannot_be_taken_is_refused(client: FlaskClient, options: dict[str, Any]) -> None:
    assert put(client, "POST", **options).status_code == 400
