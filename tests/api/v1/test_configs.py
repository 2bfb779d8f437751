"""`/api/v1/configs/{service}`: one document."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.v1.calls import (
    COMMENTED,
    CONFIGS,
    JSON,
    MERGE,
    PATCH,
    YAML,
    delete,
    disable,
    get,
    patch,
    put,
    refusal,
    remove,
    revision,
    told,
)

pytestmark = pytest.mark.slow


def test_a_document_is_created_and_read_back_as_it_is_stored(client: FlaskClient) -> None:
    created = put(client, "payments/api", '{"b":1.0,"a":1e2}')
    assert created.status_code == 201
    assert created.headers["Location"] == f"{CONFIGS}/payments/api"
    body = told(created)
    assert body == {
        "service": "payments/api",
        "version": 0,
        "revision": 2,
        "commit_id": body["commit_id"],
        "etag": created.headers["ETag"],
        "format": "json",
        "changed": True,
    }
    response = get(client, "payments/api")
    assert response.text == '{\n  "b": 1.0,\n  "a": 1e2\n}\n'
    assert response.content_type == JSON
    assert response.headers["ETag"] == created.headers["ETag"]
    assert (response.headers["Config-Version"], response.headers["Config-Revision"]) == ("0", "2")
    assert (response.headers["Vary"], response.headers["Cache-Control"]) == ("Accept", "no-cache")


def test_a_document_is_replaced_and_an_equal_one_makes_no_version(client: FlaskClient) -> None:
    put(client, "x", {"a": 1})
    replaced, again = put(client, "x", {"a": 2}), put(client, "x", {"a": 2})
    assert (replaced.status_code, told(replaced)["version"], told(replaced)["changed"]) == (200, 1, True)
    assert (again.status_code, told(again)["version"], told(again)["changed"]) == (200, 1, False)
    assert revision(client) == 3
    assert "Location" not in replaced.headers


def test_a_service_that_was_deleted_is_created_again_with_the_next_number(client: FlaskClient) -> None:
    put(client, "x", {"a": 1})
    remove(client, "x")
    created = put(client, "x", {"a": 1})
    assert (created.status_code, told(created)["version"]) == (201, 2)


@pytest.mark.parametrize("name", ["payments/api", "payments%2Fapi", "payments%2fapi"])
def test_a_slash_in_a_name_may_be_escaped(client: FlaskClient, name: str) -> None:
    put(client, "payments/api", {"a": 1})
    assert get(client, name).get_json() == {"a": 1}
    assert get(client, f"{name}/-/meta").get_json()["service"] == "payments/api"
    assert get(client, f"{name}%2F-%2Fmeta").get_json()["service"] == "payments/api"


@pytest.mark.parametrize(
    "name",
    [
        "Nginx",
        "a//b",
        "/a",
        "a/",
        "..",
        "a/../b",
        "%2e%2e%2fetc",
        "%252e",
        "payments%252Fapi",
        ".git",
        ".configsvc/services/x.yaml",
        "x.json",
        "con",
        "a%00b",
        "a%0ab",
        "a%0d%0ab",
        "a%ff",
        "%e2%84%aa",
        "a" * 101,
        "a/" * 8 + "a",
        "-",
        "-/default",
        "a b",
        "a+b",
        "a;b",
    ],
)
def test_what_is_no_name_is_refused_by_every_verb(client: FlaskClient, name: str) -> None:
    calls = [get(client, name), put(client, name, {}), patch(client, name, {}), delete(client, name)]
    assert {refusal(response) for response in calls} == {(400, "name-invalid")}
    assert revision(client) == 1


@pytest.mark.parametrize("path", ["a/-", "a/-/", "a/-/x", "a/-/versions/", "a/-/meta/x", "a/-/-/meta", ""])
def test_what_belongs_to_no_service_is_not_found(client: FlaskClient, path: str) -> None:
    assert refusal(get(client, path)) == (404, "not-found")


def test_json_sent_to_a_yaml_document_edits_it(client: FlaskClient) -> None:
    put(client, "x", COMMENTED, YAML)
    value = {"base": {"retries": 3}, "prod": {"retries": 3, "port": 8080}}
    written = put(client, "x", value)
    assert (told(written)["format"], written.headers["ETag"][-6:]) == ("yaml", '-yaml"')
    assert get(client, "x").text == COMMENTED.replace("80", "8080")


@pytest.mark.parametrize(
    ("stands", "sent", "query", "stored"),
    [
        (None, JSON, "format=yaml", "a: 1\n"),
        (None, YAML, "format=json", '{\n  "a": 1\n}\n'),
        (YAML, JSON, "format=json", '{\n  "a": 1\n}\n'),
        (YAML, JSON, "format=yaml", "# old\na: 1\n"),
        (JSON, YAML, "format=yaml", "# sent\na:   1\n"),
        (JSON, YAML, "", "# sent\na:   1\n"),
        (JSON, JSON, "format=json", '{\n  "a": 1\n}\n'),
    ],
)
def test_the_format_to_keep_may_be_named(
    client: FlaskClient, stands: str | None, sent: str, query: str, stored: str
) -> None:
    if stands is not None:
        put(client, "x", "# old\nb: 1\n" if stands == YAML else {"b": 1}, stands)
    response = put(client, f"x?{query}", "# sent\na:   1\n" if sent == YAML else {"a": 1}, sent)
    assert response.status_code == (201 if stands is None else 200)
    assert get(client, "x").text == stored


def test_a_patch_changes_only_the_lines_concerned(client: FlaskClient) -> None:
    put(client, "x", COMMENTED, YAML)
    assert patch(client, "x", {"prod": {"port": 8080}}).status_code == 200
    operations = [{"op": "test", "path": "/prod/port", "value": 8080}, {"op": "remove", "path": "/prod/port"}]
    assert patch(client, "x", operations, PATCH).status_code == 200
    assert get(client, "x?version=1").text == COMMENTED.replace("80", "8080")
    assert "  <<: *base\n" in get(client, "x").text
    assert told(get(client, "x", Accept=JSON))["prod"] == {"retries": 3}


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ({"a": None}, MERGE, (200, "")),
        ([], PATCH, (200, "")),
        ([], MERGE, (400, "document-invalid")),
        ({}, PATCH, (400, "document-invalid")),
        ("{", MERGE, (400, "document-invalid")),
        ("", MERGE, (400, "request-invalid")),
        ([{"op": "test", "path": "/a", "value": 2}], PATCH, (409, "patch-failed")),
        ([{"op": "remove", "path": "/b"}], PATCH, (409, "patch-failed")),
        ([{"op": "add", "path": "", "value": []}], PATCH, (400, "document-invalid")),
        ([{"op": "remove", "path": "a"}], PATCH, (400, "document-invalid")),
        ([{"op": "noop", "path": ""}], PATCH, (400, "document-invalid")),
        ({"a": 2}, JSON, (415, "media-type-unsupported")),
        ({"a": 2}, YAML, (415, "media-type-unsupported")),
        ({"a": 2}, "text/plain", (415, "media-type-unsupported")),
    ],
)
def test_a_patch_does_what_it_can_or_nothing(
    client: FlaskClient, body: Any, kind: str, expected: tuple[int, str]
) -> None:
    put(client, "x", {"a": 1})
    response = patch(client, "x", body, kind)
    if expected[0] == 200:
        assert response.status_code == 200
        return
    assert refusal(response) == expected
    assert get(client, "x").get_json() == {"a": 1}
    if expected[0] == 415:
        assert response.headers["Accept-Patch"] == f"{MERGE}, {PATCH}"


def test_a_patch_of_a_missing_service_is_refused(client: FlaskClient) -> None:
    assert refusal(patch(client, "x", {})) == (404, "service-not-found")


def test_a_service_is_deleted_once_it_is_disabled(client: FlaskClient) -> None:
    put(client, "x", {})
    assert refusal(delete(client, "x")) == (409, "service-enabled")
    disable(client, "x")
    response = delete(client, "x")
    body = told(response)
    assert body == {
        "service": "x",
        "version": 1,
        "revision": 4,
        "commit_id": body["commit_id"],
        "deleted": True,
        "changed": True,
    }
    assert "ETag" not in response.headers
    assert refusal(delete(client, "x")) == (404, "service-not-found")


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/html", "application/x-www-form-urlencoded", MERGE, PATCH, ""]
)
def test_a_document_of_another_type_is_refused(client: FlaskClient, kind: str) -> None:
    assert refusal(put(client, "x", "{}", kind)) == (415, "media-type-unsupported")


@pytest.mark.parametrize(
    "query", ["versoin=1", "version=", "version=-1", "version=1&version=1", "min_revision=x"]
)
def test_a_parameter_that_is_not_known_is_refused(client: FlaskClient, query: str) -> None:
    put(client, "x", {})
    assert refusal(get(client, f"x?{query}")) == (400, "request-invalid")


def test_a_document_beyond_its_bound_is_refused(client: FlaskClient) -> None:
    assert refusal(put(client, "x", b"x" * ((1 << 20) + 1))) == (413, "document-too-large")
    text = "a: 1\n" + "#" * (128 << 10) + "\n"
    put(client, "x", text, YAML)
    assert refusal(patch(client, "x", {"a": 2})) == (413, "edit-too-large")
    assert refusal(put(client, "x", {"a": 2})) == (413, "edit-too-large")
    assert put(client, "x?format=json", {"a": 2}).status_code == 200


def test_head_has_the_headers_of_get_and_no_body(client: FlaskClient) -> None:
    put(client, "x", {"a": 1})
    for path in (
        "x",
        "x?pointer=/a",
        "x?version=0",
        "x/-/versions",
        "x/-/versions/0",
        "x/-/diff",
        "x/-/meta",
    ):
        got, head = get(client, path), client.head(f"{CONFIGS}/{path}")
        assert (head.status_code, head.data) == (200, b"")
        assert dict(head.headers) == dict(got.headers)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("configs", "GET"),
        ("configs/a/b", "GET PUT PATCH DELETE"),
        ("configs/a/b/-/versions", "GET"),
        ("configs/a/b/-/versions/0", "GET"),
        ("configs/a/b/-/diff", "GET"),
        ("configs/a/b/-/rollback", "POST"),
        ("configs/a/b/-/meta", "GET PATCH"),
        ("commits", "GET POST"),
        ("commits/x", "GET"),
        ("validate", "POST"),
        ("schemas", "GET"),
        ("schemas/a/b", "GET PUT DELETE"),
        ("schemas/a/b/-/default", "GET PUT DELETE"),
        ("schemas/-/default", "GET PUT DELETE"),
    ],
)
def test_options_and_a_wrong_method_tell_what_there_is(client: FlaskClient, path: str, methods: str) -> None:
    allowed = {*methods.split(), "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    options, wrong = client.options(f"/api/v1/{path}"), client.open(f"/api/v1/{path}", method="BREW")
    assert (options.status_code, options.data) == (204, b"")
    assert refusal(wrong) == (405, "method-not-allowed")
    for response in (options, wrong):
        assert set(response.headers["Allow"].split(", ")) == allowed
    assert ("Accept-Patch" in options.headers) is ("PATCH" in allowed)


def test_a_repeated_write_happens_once(client: FlaskClient) -> None:
    first = put(client, "x", {"a": 1}, Config_Request_Id="deploy-1")
    put(client, "x", {"a": 2})
    again = put(client, "x", {"a": 1}, Config_Request_Id="deploy-1")
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert get(client, "x").get_json() == {"a": 2}
    other = put(client, "x", {"a": 3}, Config_Request_Id="deploy-1")
    assert refusal(other) == (409, "request-id-reused")


@pytest.mark.parametrize(
    ("query", "headers", "subject"),
    [
        ("", {}, "Create x"),
        ("?message=Raise%20it", {}, "Raise it"),
        ("", {"Config_Message": "Raise it\xc3\xa9"}, "Raise it\u00e9"),
    ],
)
def test_a_write_may_say_why(client: FlaskClient, query: str, headers: dict[str, str], subject: str) -> None:
    put(client, f"x{query}", {}, **headers)
    version = told(get(client, "x/-/versions/0"))
    assert version["message"] == f"{subject}\n\nConfig-Operation: put\n"
    assert version["author"] == "anonymous <anonymous@configsvc.invalid>"


def test_a_dry_run_tells_what_would_change_and_writes_nothing(client: FlaskClient) -> None:
    created = put(client, "x?dry_run=true", {"a": 1})
    assert (created.status_code, told(created)) == (
        200,
        {
            "dry_run": True,
            "changed": True,
            "versions": [{"service": "x", "version": 0, "deleted": False}],
            "diffs": [
                {
                    "path": "x.json",
                    "diff": '--- /dev/null\n+++ b/x.json\n@@ -0,0 +1,3 @@\n+{\n+  "a": 1\n+}\n',
                }
            ],
        },
    )
    assert revision(client) == 1
    put(client, "x", {"a": 1})
    disable(client, "x")
    same = told(put(client, "x?dry_run=true", {"a": 1}))
    assert (same["changed"], same["versions"], same["diffs"]) == (False, [], [])
    deleted = told(delete(client, "x?dry_run=true"))
    assert deleted["versions"] == [{"service": "x", "version": 1, "deleted": True}]
    assert [each["path"] for each in deleted["diffs"]] == [".configsvc/services/x.yaml", "x.json"]
    assert refusal(patch(client, "y?dry_run=true", {})) == (404, "service-not-found")
    assert revision(client) == 3


def test_json_that_is_to_be_yaml_edits_the_yaml_that_stands_there(client: FlaskClient) -> None:
    text = "# top\na: 1 # keep\nb: [1, 2]\n"
    put(client, "y", text, YAML)
    assert not put(client, "y?format=yaml", {"a": 1, "b": [1, 2]}).get_json()["changed"]
    put(client, "y?format=yaml", {"a": 2, "b": [1, 2]})
    assert get(client, "y").text == text.replace("1 #", "2 #")
