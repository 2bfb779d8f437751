from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.names import Format, document_path, meta_path
from configsvc.validation.layout import Kind, folded, kind_of, misplaced_problem, path_problem, shown_path


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "CODEOWNERS",
        ".github/workflows/ci.yml",
        ".gitignore",
        "docs/Über uns (2024), v1.txt",
        "a" * 255,
        "/".join("abcdefghijklmnop"),
        "git/x",
        "gitattributes",
        "x.git/config",
        "console.md",
        "com.txt",
        "~",
        "a~b",
        "tilde~",
        "payments/api.yaml",
        ".configsvc/services/nginx.yaml",
    ],
)
def test_a_path_that_every_file_system_has_is_allowed(path: str) -> None:
    assert path_problem(path) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "segment ''"),
        ("/a", "segment ''"),
        ("a//b", "segment ''"),
        ("a/", "segment ''"),
        ("./a", "segment '.'"),
        ("a/../b", "segment '..'"),
        (".git", "git's own folder"),
        (".git/config", "git's own folder"),
        ("a/.git/hooks/pre-commit", "git's own folder"),
        (".GIT/config", "git's own folder"),
        (".gIt", "git's own folder"),
        ("git~1", "short name"),
        ("a/GIT~1/config", "short name"),
        ("git~2", "short name"),
        ("GITMOD~1", "short name"),
        ("gitatt~1", "short name"),
        ("config~1.jso", "short name"),
        (".g\u200cit/config", "invisible"),
        (".git\u200d", "invisible"),
        (".\ufeffgit", "invisible"),
        (".git ", "dot or space"),
        (".git.", "dot or space"),
        (".git...", "dot or space"),
        (".git::$INDEX_ALLOCATION/config", r"none of \ : *"),
        ("a:b", r"none of \ : *"),
        (".git\\config", r"none of \ : *"),
        ("a\\..\\b", r"none of \ : *"),
        ("what?", r"none of \ : *"),
        ('"x"', r"none of \ : *"),
        ("a*", r"none of \ : *"),
        ("a|b", r"none of \ : *"),
        ("<a>", r"none of \ : *"),
        ("a.", "dot or space"),
        ("a /b", "dot or space"),
        ("a./b", "dot or space"),
        ("con", "device name"),
        ("a/NUL", "device name"),
        ("Aux.txt", "device name"),
        ("aux .txt", "device name"),
        ("com1.a.b", "device name"),
        ("LPT\u00b9", "device name"),
        ("a\nb", "control or invisible"),
        ("a\r", "control or invisible"),
        ("a\x00b", "control or invisible"),
        ("a\x7f", "control or invisible"),
        ("a\x9bb", "control or invisible"),
        ("a\u202ebcd", "control or invisible"),
        ("a\u2028b", "control or invisible"),
        ("a\U000e0041", "control or invisible"),
        ("caf\udce9", "UTF-8"),
        ("a" * 256, "256 bytes"),
        ("\u00e9" * 128, "256 bytes"),
        ("/".join(["a" * 100] * 6), "path: 605 bytes"),
        ("/".join("a" * 17), "path: 17 segments"),
        (".Configsvc/services/a.yaml", "expected: .configsvc"),
        (".CONFIGSVC", "expected: .configsvc"),
    ],
)
def test_a_path_that_is_not_safe_everywhere_is_refused(path: str, reason: str) -> None:
    problem = path_problem(path)
    assert problem is not None
    assert reason in problem
    assert problem.encode()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("nginx.json", Kind.DOCUMENT),
        ("payments/api.yaml", Kind.DOCUMENT),
        ("README.md", Kind.IGNORED),
        ("json", Kind.IGNORED),
        ("nginx.json.bak", Kind.IGNORED),
        ("nginx.jsonc", Kind.IGNORED),
        (".github/dependabot.yml", Kind.IGNORED),
        (".pre-commit-config.yaml", Kind.IGNORED),
        ("a/.hidden/X.JSON", Kind.IGNORED),
        ("nginx.yml", Kind.MISPLACED),
        ("Nginx.json", Kind.MISPLACED),
        ("nginx.JSON", Kind.MISPLACED),
        ("a/My Config.yaml", Kind.MISPLACED),
        ("UPPER/nginx.json", Kind.MISPLACED),
        ("nginx.json/README.md", Kind.MISPLACED),
        ("nginx.YML/README.md", Kind.MISPLACED),
        ("a.json.yaml", Kind.MISPLACED),
        ("x.git/y.json", Kind.MISPLACED),
        (".configsvc", Kind.MISPLACED),
        (".configsvc/README.md", Kind.MISPLACED),
        (".configsvc/services/payments/api.yaml", Kind.META),
        (".configsvc/services/nginx.json", Kind.MISPLACED),
        (".configsvc/services/nginx.yml", Kind.MISPLACED),
        (".configsvc/services/Nginx.yaml", Kind.MISPLACED),
        (".configsvc/services/.yaml", Kind.MISPLACED),
        (".configsvc/services", Kind.MISPLACED),
        (".configsvc/schemas/payments/api.json", Kind.SCHEMA),
        (".configsvc/schemas/_default.json", Kind.SCHEMA),
        (".configsvc/schemas/payments/_default.json", Kind.SCHEMA),
        (".configsvc/schemas/_default/x.json", Kind.MISPLACED),
        (".configsvc/schemas/payments/api.yaml", Kind.MISPLACED),
        (".configsvc/principals/deploy-bot.yaml", Kind.PRINCIPAL),
        (".configsvc/principals/a/b.yaml", Kind.MISPLACED),
        (".configsvc/principals/deploy-bot.json", Kind.MISPLACED),
        (".configsvc/hooks/pre-commit", Kind.MISPLACED),
    ],
)
def test_a_path_says_what_its_file_is_for(path: str, kind: Kind) -> None:
    assert kind_of(path) is kind


@pytest.mark.parametrize(
    ("path", "spelling"),
    [
        ("Nginx.json", "nginx.json"),
        ("nginx.yml", "nginx.yaml"),
        ("NGINX.YML", "nginx.yaml"),
        ("nginx.JSON", "nginx.json"),
        ("Payments/My API.yaml", "payments/my-api.yaml"),
        ("a/_x_.json", "a/x.json"),
        ("con.json", "a service name and .json or .yaml"),
        ("___.json", "a service name and .json or .yaml"),
        ("a.json.yaml", "a service name and .json or .yaml"),
        ("nginx.json/README.md", "a name without the extension of a document"),
    ],
)
def test_the_right_spelling_is_named(path: str, spelling: str) -> None:
    assert misplaced_problem(path).endswith(f"(expected: {spelling})")


@pytest.mark.parametrize("path", [".configsvc", ".configsvc/x", ".configsvc/services/x.json"])
def test_the_files_that_may_be_below_the_meta_folder_are_named(path: str) -> None:
    assert "services/NAME.yaml" in misplaced_problem(path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README.md", "readme.MD"),
        ("caf\u00e9", "cafe\u0301"),
        ("\u212aelvin", "kelvin"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_equal(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_other_names_are_not_equal() -> None:
    assert len({folded(name) for name in ["a", "b", "a ", "a-b", "ab", "\u00e4"]}) == 6


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_any_bytes_can_be_shown(name: bytes) -> None:
    path = name.decode("utf-8", "surrogateescape")
    assert shown_path(path).encode().decode() == shown_path(path)
    assert "\n" not in shown_path(path)
    assert (path_problem(path) or "fine").encode()


def test_a_long_path_is_shown_in_part() -> None:
    assert len(shown_path("x" * 10_000)) < 210


@pytest.mark.slow
@settings(max_examples=40)
@given(st.from_regex(r"[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,3}", fullmatch=True), st.sampled_from(Format))
def test_no_service_can_have_a_path_that_is_refused(service: str, format_: Format) -> None:
    path = document_path(service, format_)
    if kind_of(path) is Kind.DOCUMENT:  # not so for the names of devices
        assert path_problem(path) is None
        assert path_problem(meta_path(service)) is None


def test_the_longest_service_has_a_path_everywhere() -> None:
    service = "/".join(["a" * 100, "b" * 99])
    assert path_problem(meta_path(service)) is None
    assert json.dumps(shown_path(service))
