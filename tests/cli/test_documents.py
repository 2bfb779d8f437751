"""get, put, patch, delete, enable, disable, diff, rollback, validate and log, on a URL and on a path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import On

pytestmark = pytest.mark.slow

TEXT = "# euro\ntimeout_s: 10\nlimits:\n  cpu: 1\n"


def test_put_and_get_keep_a_text_byte_for_byte(on: On, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(TEXT)
    assert on("put", "kept/api", tmp_path / "api.yaml", "-m", "Begin") == 0
    assert on.out.startswith("kept/api version 0 (revision ")
    assert on("get", "kept/api") == 0
    assert on.out == TEXT
    assert on("get", "kept/api", "--format", "json") == 0
    assert json.loads(on.out) == {"timeout_s": 10, "limits": {"cpu": 1}}
    assert on("put", "kept/api", tmp_path / "api.yaml") == 0
    assert on.out == "nothing to change\n"


@pytest.mark.parametrize(
    ("text", "ending", "format_"),
    [
        ('{"a": 1}', "", "json"),
        ("a: 1\n", "", "yaml"),
        ('{"a": 1}', ".yaml", "yaml"),
        ('{"a": 1}', ".json", "json"),
    ],
)
def test_the_format_is_that_of_the_ending_or_of_the_text(
    on: On, tmp_path: Path, text: str, ending: str, format_: str
) -> None:
    service = f"formats/{format_}{ending.replace('.', '-')}"
    (tmp_path / f"x{ending}").write_text(text)
    assert on("put", service, tmp_path / f"x{ending}", "--output", "json") == 0
    assert json.loads(on.out)["format"] == format_


def test_a_value_is_got_by_its_pointer(on: On) -> None:
    on("put", "values/api", stdin=TEXT + "name: a b\n")
    assert on("get", "values/api", "--pointer", "/limits/cpu") == 0
    assert on.out == "1\n"
    assert on("get", "values/api", "--pointer", "/name") == 0
    assert on.out == '"a b"\n'
    assert on("get", "values/api", "--pointer", "/name", "--raw") == 0
    assert on.out == "a b\n"
    assert on("get", "values/api", "--pointer", "/limits", "--output", "yaml") == 0
    assert "value:\n  cpu: 1\n" in on.out
    assert on("get", "values/api", "--pointer", "/missing") == 3
    assert on("get", "values/api", "--pointer", "limits") == 2


def test_services_are_listed(on: On) -> None:
    for name in ("list/b", "list/a"):
        on("put", name, stdin="{}")
    on("disable", "list/b")
    assert on("get", "--prefix", "list/") == 0
    head, *rows = on.out.splitlines()
    assert head.split() == ["SERVICE", "VERSION", "FORMAT", "ENABLED", "CHANGED", "AUTHOR"]
    assert [row.split()[:4] for row in rows] == [
        ["list/a", "0", "json", "yes"],
        ["list/b", "0", "json", "no"],
    ]
    assert on("get", "--prefix", "list/", "--output", "json") == 0
    assert [item["service"] for item in json.loads(on.out)] == ["list/a", "list/b"]
    assert on("get", "--prefix", "none/") == 0


def test_patches_change_only_what_they_name(on: On) -> None:
    on("put", "patched/api", stdin=TEXT)
    assert on("patch", "patched/api", '{"timeout_s": 20}', "-m", "Longer") == 0
    assert on("patch", "patched/api", "--set", "/limits/cpu=2", "--set", "/region=eu west") == 0
    assert on("patch", "patched/api", "-", stdin='[{"op": "test", "path": "/timeout_s", "value": 20}]') == 0
    on("get", "patched/api")
    assert on.out == "# euro\ntimeout_s: 20\nlimits:\n  cpu: 2\nregion: eu west\n"
    assert on("patch", "patched/api", "--remove", "/region", "--dry-run") == 0
    assert "-region: eu west\n" in on.out
    assert on("patch", "patched/api", "--remove", "/region") == 0
    assert on("get", "patched/api", "--pointer", "/region") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("{",), 2, "is not JSON"),
        (("3",), 2, "neither a mapping nor a list"),
        (('{"a": NaN}',), 2, "NaN"),
        ((), 2, "PATCH: is missing"),
        (("{}", "--set", "/a=1"), 2, "one or the other"),
        (("--set", "a=1"), 2, "/POINTER=VALUE"),
        (("--remove", "/nowhere"), 4, "pointer: nothing at"),
        (("@/nowhere/patch",), 2, "cannot be read"),
    ],
)
def test_a_patch_that_is_wrong_is_told(on: On, arguments: tuple[str, ...], code: int, told: str) -> None:
    on("put", "wrong/api", stdin="{}")
    assert on("patch", "wrong/api", *arguments) == code
    assert told in on.err


def test_a_service_is_deleted_only_when_it_is_disabled(on: On) -> None:
    on("put", "gone/api", stdin="{}")
    assert on("delete", "gone/api") == 4
    assert "expected: disabled" in on.err
    assert on("disable", "gone/api", "-m", "On its way out") == 0
    assert "gone/api disabled" in on.out
    assert on("enable", "gone/api", "--dry-run") == 0
    assert on("delete", "gone/api", "--output", "json") == 0
    assert json.loads(on.out)["deleted"] is True
    assert on("get", "gone/api") == 3
    assert on("get", "gone/api", "--version", "0") == 0
    assert on("get", "gone/api", "--version", "1") == 3
    assert on("enable", "gone/api") == 3


def test_what_differs_is_shown_as_text_and_as_operations(on: On) -> None:
    for number in (1, 2, 3):
        on("put", "diff/api", stdin=f"n: {number}\n")
    assert on("diff", "diff/api") == 0
    assert "-n: 2\n+n: 3\n" in on.out
    assert "\x1b" not in on.out
    assert on("diff", "diff/api", "--from", "0", "--to", "1", "--output", "json") == 0
    assert json.loads(on.out) == [{"op": "replace", "path": "/n", "value": 2}]
    assert on("diff", "diff/api", "--from", "9") == 3
    assert on("diff", "diff/none") == 3


def test_an_old_version_comes_back_as_a_new_one(on: On) -> None:
    for number in (1, 2):
        on("put", "back/api", stdin=f"n: {number}  # as it was\n")
    assert on("rollback", "back/api", "0") == 0
    assert "back/api version 2" in on.out
    on("get", "back/api")
    assert on.out == "n: 1  # as it was\n"
    assert on("rollback", "back/api", "7") == 3


def test_a_write_on_condition_is_refused_when_the_state_is_another(on: On) -> None:
    on("put", "cas/api", "--create", stdin="n: 1\n")
    on("get", "cas/api", "--output", "json")
    etag = json.loads(on.out)["etag"]
    assert on("put", "cas/api", "--if-match", etag, stdin="n: 2\n") == 0
    assert on("put", "cas/api", "--if-match", etag, stdin="n: 3\n") == 4
    assert "version 1" in on.err
    assert on("put", "cas/api", "--create", stdin="n: 3\n") == 4
    assert on("patch", "cas/api", '{"n": 3}', "--if-match", etag) == 4
    assert on("rollback", "cas/api", "0", "--if-match", etag) == 4
    on("disable", "cas/api")
    assert on("delete", "cas/api", "--if-match", etag) == 4


def test_a_dry_run_shows_the_difference_and_writes_nothing(on: On) -> None:
    assert on("put", "dry/api", "--dry-run", stdin="n: 1\n") == 0
    assert "+n: 1" in on.out
    assert on("get", "dry/api") == 3
    on("put", "dry/api", stdin="n: 1\n")
    assert on("put", "dry/api", "--dry-run", stdin="n: 1\n") == 0
    assert on.out == "nothing would change\n"


def test_a_document_is_judged_with_line_and_column(on: On, tmp_path: Path) -> None:
    assert on("validate", "held/api", stdin="timeout_s: 60\n") == 0
    (tmp_path / "bad.yaml").write_text("a: 1\ntimeout_s: 61\n")
    assert on("validate", "held/api", tmp_path / "bad.yaml") == 1
    assert on.out.startswith(f"{tmp_path}/bad.yaml:2:12: /timeout_s: ")
    assert on("validate", "held/api", "--output", "json", stdin="a: [\n") == 1
    verdict = json.loads(on.out)
    assert (verdict["valid"], verdict["violations"][0]["line"]) == (False, 2)
    assert on("validate", "held/api", stdin="") == 2


def test_what_the_schema_refuses_is_told_in_full(on: On) -> None:
    assert on("put", "held/bad", stdin='{"timeout_s": "x"}') == 1
    assert "/timeout_s" in on.err
    assert on("put", "held/bad", stdin="a: [\n") == 2
    assert "line 2" in on.err


def test_a_document_as_of_a_commit(on: On) -> None:
    on(
        "put",
        "then/api",
        stdin="n: 1\n",
    )
    on("log", "then/api", "--output", "json")
    (made,) = json.loads(on.out)
    on("put", "then/api", stdin="n: 2\n")
    assert on("get", "then/api", "--at", made["commit_id"]) == 0
    assert on.out == "n: 1\n"
    assert on("get", "then/api", "--at", "0" * 40) == 3
    assert on("get", "then/api", "--at", made["commit_id"], "--version", "0") == 2


def test_the_log_of_a_service_and_of_all(on: On) -> None:
    on("put", "log/api", "-m", "Begin it", stdin="n: 1\n")
    on("put", "log/api", "-m", "Go on", stdin="n: 2\n")
    on("put", "log/other", stdin="n: 1\n")
    assert on("log", "log/api") == 0
    assert [line.rpartition("  ")[2] for line in on.out.splitlines()] == ["Go on", "Begin it"]
    assert on("log", "--limit", "1", "--output", "yaml") == 0
    assert "log/other" in on.out
    assert on("log", "--principal", "nobody-of-this-name") == 0
    assert on.out == ""
    assert on("log", "log/api", "--since", "1h", "--limit", "1", "--output", "json") == 0
    (entry,) = json.loads(on.out)
    assert entry["author"]["name"]
    assert entry["message"].startswith("Go on")
    assert on("log", "log/api", "--service", "log/api") == 2


@pytest.mark.parametrize(
    "arguments", [("get", "Not/A Name"), ("put", "../x"), ("delete", "a.json"), ("log", "x y")]
)
def test_a_name_that_is_none_is_refused(on: On, arguments: tuple[str, str]) -> None:
    assert on(*arguments, stdin="{}") == 2
    assert "is not a service name" in on.err or "file extension" in on.err


@pytest.mark.parametrize("data", [b"\xff{}", b"\xef\xbb\xbf{}"])
def test_what_is_no_document_is_refused(on: On, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.json").write_bytes(data)
    assert on("put", "odd/api", tmp_path / "x.json") == 2
