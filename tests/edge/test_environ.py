from __future__ import annotations

import io
from typing import Any

import pytest

from configsvc.edge.environ import make_environ


def scope(**overrides: Any) -> dict[str, Any]:
    return {
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 5000),
        "client": ("127.0.0.1", 1),
        "headers": [],
    } | overrides


@pytest.mark.parametrize(
    ("raw_path", "path_info"),
    [
        (b"/a%2Fb", b"/a/b"),
        (b"/%252e", b"/%2e"),
        (b"/%c3%a9", "/\u00e9".encode()),
        (b"/%ff", b"/\xff"),
        (b"/%zz", b"/%zz"),
    ],
)
def test_a_path_is_decoded_once_and_keeps_its_bytes(raw_path: bytes, path_info: bytes) -> None:
    environ = make_environ(scope(raw_path=raw_path), io.BytesIO())
    assert environ["PATH_INFO"].encode("latin-1") == path_info


def test_a_server_that_keeps_no_raw_path_will_do() -> None:
    environ = make_environ(scope(raw_path=None, path="/\u00e9"), io.BytesIO())
    assert environ["PATH_INFO"].encode("latin-1") == "/\u00e9".encode()


def test_headers_are_named_as_cgi_names_them() -> None:
    headers = [
        (b"content-type", b"text/yaml"),
        (b"content-length", b"3"),
        (b"if-match", b"a"),
        (b"if-match", b"b"),
    ]
    environ = make_environ(scope(headers=headers), io.BytesIO())
    assert environ["CONTENT_TYPE"] == "text/yaml"
    assert environ["CONTENT_LENGTH"] == "3"
    assert environ["HTTP_IF_MATCH"] == "a,b"
    assert "HTTP_CONTENT_TYPE" not in environ


def test_a_header_that_would_pass_for_another_is_dropped() -> None:
    environ = make_environ(scope(headers=[(b"if_match", b"*"), (b"content_length", b"5")]), io.BytesIO())
    assert "HTTP_IF_MATCH" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ


def test_a_connection_without_addresses_will_do() -> None:
    environ = make_environ(scope(server=None, client=None), io.BytesIO())
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == ("localhost", "80", "")
