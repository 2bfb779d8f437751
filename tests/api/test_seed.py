from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.seed_client import JSON, NOT_FOUND, SUCCESS, UNPROCESSABLE, create, delete, findings, get, put
from tests.api.transcript import Reply, replay


def test_the_original_session_is_answered_as_the_original_did(client: FlaskClient) -> None:
    def ask(method: str, target: str, body: bytes | None) -> Reply:
        response = client.open(target, method=method, data=body, content_type=JSON if body else None)
        return Reply(response.status_code, response.text)

    replay(ask)


def test_a_new_service_is_shown_byte_for_byte_as_the_original_did(client: FlaskClient) -> None:
    response = put(client, "POST", "managed-k8s", {"service": "managed-k8s", "data": ["x"]})
    assert response.status_code == 201
    assert response.text == (
        "{\n"
        '  "ID": 1,\n'
        '  "enabled": true,\n'
        '  "service": "managed-k8s",\n'
        '  "serviceJSONconf": "{\\"service\\": \\"managed-k8s\\", \\"data\\": [\\"x\\"]}",\n'
        '  "success": true,\n'
        '  "total_configs": 1\n'
        "}\n"
    )
    assert response.headers["Location"] == "/config?service=managed-k8s"


def test_the_short_answers_are_byte_for_byte_the_original_s(client: FlaskClient) -> None:
    assert get(client, "junk").text == NOT_FOUND
    create(client)
    assert put(client, "POST").text == UNPROCESSABLE
    assert put(client, "PATCH", value={"b": 2}).text == SUCCESS


def test_versions_are_shown_in_the_order_of_their_numbers(client: FlaskClient) -> None:
    create(client, "nginx", *({"n": number} for number in range(12)))
    text = get(client).text
    assert text.startswith('{\n  "0": "{\\"n\\": 0}",\n  "1": "{\\"n\\": 1}",\n')
    assert text.endswith('  "11": "{\\"n\\": 11}"\n}\n')
    assert list(json.loads(text)) == [str(number) for number in range(12)]


@pytest.mark.parametrize(
    "value", [{"key": "d\u00e9j\u00e0 \U0001f600"}, {"n": 1.0, "m": 12345678901234567890}, {}]
)
def test_a_document_is_answered_as_the_text_of_its_value(client: FlaskClient, value: Any) -> None:
    create(client, "nginx", value)
    response = get(client)
    assert response.data == json.dumps(value).encode("ascii")
    assert response.content_type == JSON


def test_a_yaml_document_is_answered_as_json(client: FlaskClient) -> None:
    put(client, "POST", data="b: [1, yes]\na: &x {c: null}\nd: *x\n", content_type="application/yaml")
    assert get(client).text == '{"b": [1, "yes"], "a": {"c": null}, "d": {"c": null}}'


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/json", "{}"),
        ("application/json; charset=UTF-8", "{}"),
        ('application/json;charset="utf-8"', "{}"),
        ("application/vnd.example+json", "{}"),
        ("application/yaml", "a: 1"),
        ("application/x-yaml", "a: 1"),
        ("text/yaml", "a: 1"),
        ("text/x-yaml; charset=utf-8", "a: 1"),
        ("APPLICATION/JSON", "{}"),
    ],
)
def test_json_and_yaml_are_taken(client: FlaskClient, content_type: str, data: str) -> None:
    assert put(client, "POST", data=data, content_type=content_type).status_code == 201


def test_an_uncoded_body_may_say_so(client: FlaskClient) -> None:
    assert put(client, "POST", headers={"Content-Encoding": "identity"}).status_code == 201


def test_a_slash_in_a_name_may_be_escaped(client: FlaskClient) -> None:
    create(client, "payments/api", {"n": 1})
    assert get(client, "payments%2Fapi").text == get(client, "payments/api").text == '{"n": 1}'


def test_without_the_parameter_a_new_service_is_named_by_its_document(client: FlaskClient) -> None:
    response = client.post("/config", json={"service": "by-body", "a": 1})
    assert (response.status_code, response.get_json()["service"]) == (201, "by-body")
    assert get(client, "by-body").status_code == 200


def test_two_services_that_cannot_both_be_files_are_a_conflict(client: FlaskClient) -> None:
    create(client, "a")
    assert put(client, "POST", "a/b").status_code == 201  # a.json beside the folder a
    create(client, "x.json-b")
    assert get(client, "x.json-b").status_code == 200


def test_ordinals_stay_and_the_total_counts_what_exists(client: FlaskClient) -> None:
    create(client, "a")
    create(client, "b")
    delete(client, "a")
    shown = create(client, "c").get_json()
    assert (shown["ID"], shown["total_configs"]) == (3, 2)
    again = create(client, "a").get_json()
    assert (again["ID"], again["total_configs"]) == (1, 3)


def test_an_enabled_service_is_not_deleted(client: FlaskClient) -> None:
    create(client)
    response = client.delete("/config?service=nginx")
    assert (response.status_code, response.get_json()["message"]) == (422, "unprocessable")
    assert findings(response)[0]["code"] == "service-enabled"
    assert get(client).status_code == 200


def test_a_deleted_service_is_gone(client: FlaskClient) -> None:
    create(client)
    delete(client)
    assert get(client).text == NOT_FOUND
    assert client.delete("/config?service=nginx").text == NOT_FOUND
    assert put(client, "PATCH").text == NOT_FOUND
    assert client.patch("/config?service=nginx&enabled=true").text == NOT_FOUND


def test_a_service_that_is_created_again_shows_its_new_life_only(client: FlaskClient) -> None:
    create(client, "nginx", {"n": 0}, {"n": 1})
    delete(client)
    response = create(client, "nginx", {"n": 3})
    assert response.get_json()["enabled"] is True
    assert response.headers["Config-Version"] == "3"
    assert get(client).text == '{"n": 3}'
    put(client, "PATCH", value={"n": 4})
    assert list(get(client).get_json()) == ["3", "4"]
    assert get(client, query="&version=1").text == '{"n": 1}'
    gone = get(client, query="&version=2")
    assert (gone.status_code, gone.get_json()["error"], findings(gone)[0]["code"]) == (
        410,
        410,
        "version-deleted",
    )


def test_a_version_that_never_was_is_not_found(client: FlaskClient) -> None:
    create(client)
    response = get(client, query="&version=1")
    assert (response.status_code, response.get_json()["message"]) == (404, "resource not found")
    assert findings(response)[0]["code"] == "version-not-found"


def test_a_patch_that_changes_nothing_makes_no_version(client: FlaskClient) -> None:
    create(client, "nginx", {"a": 1, "b": 2})
    response = put(client, "PATCH", value={"b": 2, "a": 1})
    assert (response.text, response.headers["Config-Version"]) == (SUCCESS, "0")
    assert get(client).text == '{"a": 1, "b": 2}'


def test_a_patch_of_a_missing_service_is_not_found(client: FlaskClient) -> None:
    assert put(client, "PATCH").text == NOT_FOUND


def test_a_flag_and_a_document_are_set_in_one_commit(client: FlaskClient) -> None:
    create(client, "nginx", {"n": 0})
    before = int(get(client).headers["Config-Revision"])
    response = put(client, "PATCH", value={"n": 1}, query="&enabled=false")
    assert (response.text, response.headers["Config-Revision"]) == (SUCCESS, str(before + 1))
    assert client.delete("/config?service=nginx").status_code == 200
