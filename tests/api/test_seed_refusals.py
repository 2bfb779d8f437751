from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.seed_client import JSON, create, findings, get, put

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/html",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/json, text/plain",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/yaml; charset=utf-7",
        "image/svg+json",
    ],
)
def test_other_types_and_charsets_are_refused(client: FlaskClient, content_type: str | None) -> None:
    response = put(client, "POST", content_type=content_type)
    assert (response.status_code, response.get_json()["error"]) == (415, 415)
    assert get(client).status_code == 404


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_a_coded_body_is_refused(client: FlaskClient, coding: str) -> None:
    assert put(client, "POST", headers={"Content-Encoding": coding}).status_code == 415


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"",
        b" ",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b"{} {}",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": "\x01"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32"),
        b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}",
        b"[" * 40_000,
        b'{"a":' * 100_000,
        b'{"a": [' + b"1," * 100_000 + b"1]}",
        b"{} // comment",
        b"<html>",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_is_no_json_document_is_refused_with_what_is_wrong(
    client: FlaskClient, method: str, data: bytes
) -> None:
    if method == "PATCH":
        create(client)
    response = client.open("/config?service=nginx", method=method, data=data, content_type=JSON)
    assert (response.status_code, response.get_json()["error"]) == (400, 400)
    assert findings(response)[0]["message"]
    assert get(client).status_code == (404 if method == "POST" else 200)


@pytest.mark.parametrize(
    "data",
    [
        b"!!python/object/apply:os.system ['true']",
        b"a: !!binary aGk=",
        b"a: !custom 1",
        b"- a\n",
        b"text",
        b"a: 1\na: 2\n",
        b"1: a\n",
        b"a: 1\n---\nb: 2\n",
        b"a: *unknown\n",
        b"a: &x [*x]\n",
        b"a: .nan\n",
        b"a: \xff\n",
        b"a: {b: " + b"[" * 80 + b"]" * 80 + b"}\n",
        b"[" * 40_000,
        b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 10)) for n in range(97, 105)),
    ],
)
def test_what_is_no_yaml_document_is_refused_with_what_is_wrong(client: FlaskClient, data: bytes) -> None:
    response = put(client, "POST", data=data, content_type="application/yaml")
    assert (response.status_code, response.get_json()["error"]) == (400, 400)
    assert findings(response)[0]["message"]


def test_a_document_is_refused_with_the_place_of_what_is_wrong(client: FlaskClient) -> None:
    response = put(client, "POST", data='{\n  "a": 1,\n  "a": 2\n}')
    finding = findings(response)[0]
    assert (finding["line"], finding["column"]) == (3, 3)


@pytest.mark.parametrize("size", [(1 << 20) + 1, 64 << 20])
def test_a_body_that_is_too_large_is_refused(client: FlaskClient, size: int) -> None:
    response = put(client, "POST", data=b"x" * size)
    assert (response.status_code, response.get_json()["error"]) == (413, 413)


BAD_NAMES = [
    "",
    "..",
    "../etc/passwd",
    "..%2fetc",
    "%2e%2e%2fx",
    "a/../b",
    "a//b",
    "/a",
    "a/",
    ".git",
    ".git%2fconfig",
    "a%00b",
    "a%0d%0aSet-Cookie:x",
    "a%1bb",
    "a%e2%80%ae",
    "a%e2%80%8b",
    "a.",
    "a%20",
    "a+b",
    "a:b",
    "a::$data",
    "git~1",
    "con",
    "a/nul",
    "com1.x",
    "Nginx",
    "%c4%b0",
    "%e2%84%aa",
    "e%cc%81",
    "(_)a",
    "%2523",
    "%252e%252e",
    "a%5cb",
    "x.json",
    "x.yaml",
    "x.git",
    "x.lock",
    "-a",
    "a-",
    "a" * 101,
    "a/" * 8 + "a",
    "aa/" * 80 + "a",
]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_outside_the_grammar_is_refused(client: FlaskClient, method: str, name: str) -> None:
    response = put(client, method, name) if method in ("POST", "PATCH") else get(client, name, method=method)
    assert (response.status_code, response.get_json()["error"]) == (400, 400)
    assert findings(response)[0]["code"] == "name-invalid"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "?service",
        "?service=a&service=a",
        "?service=a&service=../b",
        "?service[]=a",
        "?service=%ff",
        "?service=%zz",
        "?service=%",
        "?service=a&&",
        "?service=a&version=0&version=1",
        "?service=a&version=",
        "?service=a&version=-1",
        "?service=a&version=01",
        "?service=a&version=1.0",
        "?service=a&version=0x1",
        "?service=a&version=%d9%a3",
        "?service=a&version=99999999999",
        "?service=a&verison=1",
        "?service=a&enabled=true",
        "?service=a&message=x",
        "?" + "&".join(f"a{n}=1" for n in range(100)),
    ],
)
def test_a_malformed_query_is_refused(client: FlaskClient, query: str) -> None:
    create(client, "a")
    response = client.get("/config" + query)
    assert (response.status_code, response.get_json()["error"]) == (400, 400)


@pytest.mark.parametrize(
    "value", [{}, {"service": 5}, {"service": None}, {"service": "../x"}, {"service": ""}]
)
def test_a_new_service_without_a_name_is_refused(client: FlaskClient, value: Any) -> None:
    assert client.post("/config", json=value).status_code == 400


@pytest.mark.parametrize("flag", ["yes", "", "1", "True", "false&enabled=false"])
def test_a_flag_is_true_or_false(client: FlaskClient, flag: str) -> None:
    create(client)
    assert client.patch(f"/config?service=nginx&enabled={flag}").status_code == 400


def test_a_patch_of_nothing_is_refused(client: FlaskClient) -> None:
    create(client)
    assert client.patch("/config?service=nginx").status_code == 400
