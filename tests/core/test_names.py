from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import NameInvalid
from configsvc.core.names import (
    DocumentPath,
    Format,
    document_path,
    find_document,
    is_service,
    meta_path,
    parse_service,
)

NAMES = st.from_regex(
    r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?(/[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?){0,3}", fullmatch=True
)


@pytest.mark.parametrize(
    "name",
    [
        "nginx",
        "0",
        "payments/api",
        "a.b_c-d/e..f",
        "a/b/c/d/e/f/g/h",
        "x" * 100,
        "x" * 100 + "/" + "y" * 99,
        "json",
        "json/yaml",
        "git",
        "console",
        "com10",
        "x.jsonnet",
    ],
)
def test_a_name_of_the_grammar_is_accepted(name: str) -> None:
    assert parse_service(name) == name
    assert is_service(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("/", "not a service name"),
        ("/a", "not a service name"),
        ("a/", "not a service name"),
        ("a//b", "not a service name"),
        (".", "not a service name"),
        ("..", "not a service name"),
        ("a/../b", "not a service name"),
        ("../etc/passwd", "not a service name"),
        ("-", "not a service name"),
        ("a/-/b", "not a service name"),
        (".git", "not a service name"),
        ("a/.git/config", "not a service name"),
        ("a.", "not a service name"),
        ("a ", "not a service name"),
        ("a_", "not a service name"),
        ("Nginx", "not a service name"),
        ("nginx\n", "not a service name"),
        ("a\x00b", "not a service name"),
        ("a\\b", "not a service name"),
        ("a:b", "not a service name"),
        ("a%2fb", "not a service name"),
        ("(_)(_)/x", "not a service name"),
        ("gi\u200ct", "not a service name"),
        ("\u212a8s", "not a service name"),
        ("caf\u00e9", "not a service name"),
        ("\u0661", "not a service name"),
        ("git~1", "not a service name"),
        ("\udcff", "not a service name"),
        ("nginx.json", "ends in .json"),
        ("nginx.yaml", "ends in .yaml"),
        ("nginx.yml", "ends in .yml"),
        ("x.json/y", "ends in .json"),
        ("x.git", "ends in .git"),
        ("x.lock", "ends in .lock"),
        ("con", "device name"),
        ("a/nul/b", "device name"),
        ("aux.conf", "device name"),
        ("lpt9", "device name"),
        ("x" * 101, "101 characters"),
        ("x" * 201, "201 characters"),
        ("a/b/c/d/e/f/g/h/i", "9 segments"),
    ],
)
def test_a_name_outside_the_grammar_is_refused_with_the_reason(name: str, reason: str) -> None:
    assert not is_service(name)
    with pytest.raises(NameInvalid, match=reason) as refused:
        parse_service(name)
    assert "expected" in refused.value.message
    assert refused.value.message.isascii()


def test_a_refused_name_is_shown_in_part_only() -> None:
    with pytest.raises(NameInvalid) as refused:
        parse_service("A" * 5000)
    assert len(refused.value.message) < 300


@settings(max_examples=40)
@given(NAMES, st.sampled_from(Format))
def test_a_service_and_its_file_name_each_other(name: str, format_: Format) -> None:
    if is_service(name):
        assert find_document(document_path(name, format_)) == DocumentPath(name, format_)


@pytest.mark.parametrize(
    "path",
    [
        "nginx",
        "nginx.yml",
        "nginx.JSON",
        "Nginx.json",
        ".json",
        ".github/nginx.json",
        "a/.b/c.yaml",
        "a.json/b",
        "README.md",
        "a.json.yaml",
        ".configsvc/services/nginx.yaml",
    ],
)
def test_other_files_are_nobodys_document(path: str) -> None:
    assert find_document(path) is None


def test_the_file_about_a_service_is_below_the_meta_folder() -> None:
    assert meta_path("payments/api") == ".configsvc/services/payments/api.yaml"
