"""`/api/v1/configs/{service}` read: in either format, old versions, single values, conditions."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.v1.calls import (
    COMMENTED,
    JSON,
    YAML,
    get,
    put,
    refusal,
    remove,
    told,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, YAML),
        ("", YAML),
        ("*/*", YAML),
        ("application/*", YAML),
        (JSON, JSON),
        (f"{JSON}; charset=utf-8", JSON),
        ("APPLICATION/JSON", JSON),
        ("text/yaml", YAML),
        (f"{YAML};q=0.1, {JSON};q=0.2", JSON),
        (f"{JSON}, {YAML}", YAML),
        (f"{YAML};q=0, */*", JSON),
        ("text/html, */*;q=0.1", YAML),
        ("text/html", None),
        ("image/*;q=1, text/plain", None),
        (f"{JSON};q=0", None),
        (";;,,", None),
    ],
)
def test_the_answer_is_what_the_client_accepts(
    client: FlaskClient, accept: str | None, media_type: str | None
) -> None:
    put(client, "x", COMMENTED, YAML)
    response = get(client, "x") if accept is None else get(client, "x", Accept=accept)
    if media_type is None:
        assert refusal(response) == (406, "not-acceptable")
        assert response.headers["Vary"] == "Accept"
        return
    assert (response.status_code, response.content_type) == (200, media_type)
    assert response.headers["ETag"].endswith('-yaml"' if media_type == YAML else '-json"')
    value = {"base": {"retries": 3}, "prod": {"retries": 3, "port": 80}}
    assert response.text == COMMENTED if media_type == YAML else told(response) == value


def test_json_is_answered_as_yaml_too(client: FlaskClient) -> None:
    put(client, "x", {"a": [1, "yes"], "b": {}})
    response = get(client, "x", Accept=YAML)
    assert response.text == 'a:\n  - 1\n  - "yes"\nb: {}\n'
    assert response.headers["ETag"].endswith('-yaml"')


@pytest.mark.parametrize("accept", [JSON, YAML])
def test_what_a_client_has_is_not_sent_again(client: FlaskClient, accept: str) -> None:
    put(client, "x", {"a": 1})
    tag = get(client, "x", Accept=accept).headers["ETag"]
    response = get(client, "x", Accept=accept, If_None_Match=f'"other", W/{tag}')
    assert (response.status_code, response.data) == (304, b"")
    assert (response.headers["ETag"], response.headers["Vary"]) == (tag, "Accept")
    other = JSON if accept == YAML else YAML
    assert get(client, "x", Accept=other, If_None_Match=tag).status_code == 200
    put(client, "x", {"a": 2})
    assert get(client, "x", Accept=accept, If_None_Match=tag).status_code == 200


def test_an_old_version_stays_readable(client: FlaskClient) -> None:
    for number in range(3):
        put(client, "x", {"n": number})
    remove(client, "x")
    assert get(client, "x?version=1").get_json() == {"n": 1}
    assert get(client, "x?version=1").headers["Config-Version"] == "1"
    assert refusal(get(client, "x")) == (404, "service-not-found")
    assert refusal(get(client, "x?version=3")) == (410, "version-deleted")
    assert refusal(get(client, "x?version=4")) == (404, "version-not-found")


def test_the_document_of_a_commit_is_what_was_newest_then(client: FlaskClient) -> None:
    first = told(put(client, "x", {"n": 0}))["commit_id"]
    between = told(put(client, "y", {}))["commit_id"]
    put(client, "x", {"n": 1})
    for commit in (first, between):
        response = get(client, f"x?at={commit}")
        assert (response.get_json(), response.headers["Config-Version"]) == ({"n": 0}, "0")
    assert refusal(get(client, f"y?at={first}")) == (404, "service-not-found")
    assert refusal(get(client, f"x?at={'0' * 40}")) == (404, "revision-not-found")
    assert refusal(get(client, "x?at=v1.0")) == (404, "revision-not-found")
    assert refusal(get(client, f"x?at={first}&version=0")) == (400, "request-invalid")


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", {"a": {"b/c": [1, {"~": None}]}}),
        ("/a/b~1c/0", 1),
        ("/a/b~1c/1/~0", None),
        ("/a/b~1c/1", {"~": None}),
    ],
)
def test_one_value_of_a_document_is_answered(client: FlaskClient, pointer: str, value: Any) -> None:
    put(client, "x", {"a": {"b/c": [1, {"~": None}]}})
    response = get(client, f"x?pointer={pointer}")
    assert (response.status_code, told(response), response.content_type) == (200, value, JSON)
    assert response.headers["Config-Version"] == "0"


def test_the_tag_of_a_value_lasts_as_long_as_the_value_and_names_no_version(client: FlaskClient) -> None:
    put(client, "x", {"a": 1, "b": 1})
    tag = get(client, "x?pointer=/a").headers["ETag"]
    put(client, "x", {"a": 1, "b": 2})
    kept = get(client, "x?pointer=/a", If_None_Match=tag)
    assert (kept.status_code, kept.headers["Config-Version"]) == (304, "1")
    assert refusal(put(client, "x", {}, If_Match=tag)) == (412, "precondition-failed")
    put(client, "x", {"a": 2, "b": 2})
    assert get(client, "x?pointer=/a", If_None_Match=tag).status_code == 200


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/b", (404, "value-not-found")),
        ("/a/2", (404, "value-not-found")),
        ("/a/-", (404, "value-not-found")),
        ("/a/01", (404, "value-not-found")),
        ("/a/0/x", (404, "value-not-found")),
        ("a", (400, "request-invalid")),
        ("/~2", (400, "request-invalid")),
        ("/" + "9" * 5000, (404, "value-not-found")),
    ],
)
def test_a_pointer_that_leads_nowhere_is_told(
    client: FlaskClient, pointer: str, expected: tuple[int, str]
) -> None:
    put(client, "x", {"a": [1, 2]})
    assert refusal(get(client, f"x?pointer={pointer}")) == expected


def test_whoever_wrote_reads_the_write_or_is_told_to_wait(client: FlaskClient) -> None:
    written = told(put(client, "x", {}))["revision"]
    assert get(client, f"x?min_revision={written}").status_code == 200
    response = get(client, f"x?min_revision={written + 1}")
    assert refusal(response) == (412, "revision-unreached")
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Config-Revision"] == str(written)


def test_a_read_may_expect_a_version(client: FlaskClient) -> None:
    tag = put(client, "x", {}).headers["ETag"]
    assert get(client, "x", If_Match=tag).status_code == 200
    put(client, "x", {"a": 1})
    assert refusal(get(client, "x", If_Match=tag)) == (412, "precondition-failed")
