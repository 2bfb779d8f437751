"""The gate without a server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.assembly import open_gate
from configsvc.checking import check_commits, check_files
from configsvc.cli.check import annotation
from configsvc.cli.main import run
from configsvc.core.names import ATTRIBUTES, ATTRIBUTES_FILE
from configsvc.core.reports import Violation
from configsvc.settings import Settings
from configsvc.store.steptree import Gate
from tests.store.gitrepo import commit_files, git, new_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = new_repository(tmp_path / "clone")
    commit_files(made, {"a.json": "{}\n", "web/b.yaml": "n: 1\n", "README.md": "About\n"})
    return made


@pytest.fixture
def gate() -> Iterator[Gate]:
    with open_gate(Settings()) as opened:
        yield opened.step


def found(root: Path, gate: Gate) -> list[str]:
    return [str(violation) for violation in check_files(root, gate).violations]


def test_a_good_tree_has_no_findings_and_every_file_is_counted(root: Path, gate: Gate) -> None:
    findings = check_files(root, gate)
    assert (findings.violations, findings.files) == ((), 3)


def test_files_that_are_not_committed_are_judged_and_ignored_ones_are_not(root: Path, gate: Gate) -> None:
    (root / "new.json").write_text('{"a": 1,\n "a": 2}')
    (root / "scratch.json").write_text("{")
    (root / ".gitignore").write_text("scratch.json\n")
    (root / "a.json").write_text("[]")
    (root / "web/b.yaml").unlink()
    places = [line.partition(" ")[0] for line in found(root, gate)]
    assert places == ["a.json:1:1:", "new.json:2:2:", "web/b.yaml:"]


@pytest.mark.parametrize(
    ("text", "words"), [(None, "removed"), ("*.json text\n", "as `init` made it")], ids=["missing", "changed"]
)
def test_attributes_that_the_server_would_refuse_are_found(
    root: Path, gate: Gate, text: str | None, words: str
) -> None:
    commit_files(root, {ATTRIBUTES_FILE: ATTRIBUTES.decode()})
    assert found(root, gate) == []
    if text is None:
        (root / ATTRIBUTES_FILE).unlink()
    else:
        (root / ATTRIBUTES_FILE).write_text(text)
    (line,) = found(root, gate)
    assert line.startswith(ATTRIBUTES_FILE)
    assert words in line


def test_a_service_that_is_removed_is_found_unless_it_was_disabled(root: Path, gate: Gate) -> None:
    place = ".configsvc/services/a.yaml"
    (root / "a.json").unlink()
    (line,) = found(root, gate)
    assert line.startswith("a.json: removed while its service is enabled (expected: `enabled: false` in ")
    git(root, "checkout", "-q", "a.json")
    commit_files(root, {place: "enabled: false\n"})
    for path in ("a.json", place):
        (root / path).unlink()
    assert found(root, gate) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [("link", "symbolic link"), ("web/b.json", "one file for one service"), ("Big.json", "big.json")],
)
def test_what_only_the_whole_tree_shows_is_found(root: Path, gate: Gate, path: str, words: str) -> None:
    if path == "link":
        (root / path).symlink_to("a.json")
    else:
        (root / path).write_text("{}\n")
    assert any(words in line for line in found(root, gate))


def test_a_repository_in_the_repository_is_found(root: Path, gate: Gate) -> None:
    new_repository(root / "inner")
    commit_files(root / "inner", {"x": "x"})
    assert any("submodule" in line for line in found(root, gate))


def test_commits_are_judged_one_by_one(root: Path, gate: Gate) -> None:
    commit_files(root, {"c.json": "{"}, "Bad")
    commit_files(root, {"c.json": "{}\n"}, "Good again")
    assert check_files(root, gate).violations == ()
    violations = check_commits(root, "HEAD~2", "HEAD", gate).violations
    assert [violation.path for violation in violations] == ["c.json"]


def test_a_deletion_of_an_enabled_service_is_found_in_commits(root: Path, gate: Gate) -> None:
    commit_files(root, {"a.json": None})
    (violation,) = check_commits(root, "HEAD~1", "HEAD", gate).violations
    assert "enabled: false" in violation.message


@pytest.mark.slow
def test_schemas_of_the_repository_and_of_the_operator_are_applied(
    root: Path, gate: Gate, tmp_path: Path
) -> None:
    schema = (
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {"n": {"type": "string"}}}'
    )
    commit_files(root, {".configsvc/schemas/web/b.json": schema})
    (line,) = found(root, gate)
    assert line.startswith("web/b.yaml:1:4: /n: ")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.json").write_text('{"required": ["port"]}')
    with open_gate(Settings(schemas=tmp_path / "own")) as opened:
        assert any(each.startswith("a.json") for each in found(root, opened.step))


def test_a_branch_beside_main_is_judged_by_what_it_changes(root: Path, gate: Gate) -> None:
    git(root, "branch", "work")
    commit_files(root, {"a.json": '{"n": 1}\n'})
    git(root, "switch", "-q", "work")
    commit_files(root, {"d.json": "{}\n"})
    assert check_commits(root, "main", "work", gate).violations == ()
    commit_files(root, {"a.json": '{"n": 2}\n'})
    (violation,) = check_commits(root, "main", "work", gate).violations
    assert "changed on main meanwhile too" in violation.message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "start"),
    [
        ([], 1, "bad.json:1:2: "),
        (["--output", "json"], 1, "{"),
        (["--output", "github"], 1, "::error file=bad.json,line=1,col=2::"),
        (["--commits", "HEAD~1..HEAD"], 0, ""),
        (["--commits", "HEAD~1"], 2, ""),
        (["--commits", "nowhere..HEAD"], 2, ""),
        (["--commits", "--output..HEAD"], 2, ""),
    ],
)
def test_the_command_tells_findings_and_exits_with_what_they_mean(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    start: str,
) -> None:
    commit_files(root, {"fine.json": "{}\n"})
    (root / "bad.json").write_text("{")
    monkeypatch.setattr(sys, "argv", ["configsvc", "check", str(root), *arguments])
    assert run() == code
    out = capsys.readouterr().out
    assert out.startswith(start)
    if "json" in arguments:
        assert json.loads(out)["violations"][0]["path"] == "bad.json"


def test_a_folder_that_is_no_repository_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["configsvc", "check", str(tmp_path)])
    assert run() == 2
    assert "expected: a git working tree" in capsys.readouterr().err


def test_an_annotation_cannot_be_broken_out_of() -> None:
    told = annotation(Violation("a,b:c.json", "one\n::error::two 100%", "/x", 3, 4))
    assert told == "::error file=a%2Cb%3Ac.json,line=3,col=4::/x: one%0A::error::two 100%25"
