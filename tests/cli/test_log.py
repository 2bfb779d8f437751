"""log, as an auditor calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configsvc.cli.log import parse_since
from configsvc.core.errors import RequestInvalid
from tests.cli.conftest import Called
from tests.store.gitrepo import git

pytestmark = pytest.mark.slow

DAY_S = 86_400


@pytest.fixture
def repo(tmp_path: Path, call: Called) -> Path:
    repo = tmp_path / "repo"
    assert call("init", "--repo", repo) == 0
    (repo / "nginx.json").write_text("{}\n")
    assert call("commit", "--repo", repo, "-m", "Begin nginx") == 0
    return repo


def test_a_line_tells_revision_time_principal_and_message(call: Called, repo: Path) -> None:
    assert call("log", "--repo", repo, "--service", "nginx") == 0
    (line,) = call.out.splitlines()
    revision, time, *_ = line.split()
    assert revision == "2"
    assert time.endswith("Z")
    assert line.endswith("Begin nginx")


def test_json_has_all_of_it(call: Called, repo: Path) -> None:
    assert call("log", "--repo", repo, "--output", "json", "--limit", "1") == 0
    (entry,) = json.loads(call.out)
    assert entry["revision"] == 2
    assert entry["commit_id"] == git(repo, "rev-parse", "main")
    assert entry["committer"]["name"] == "configsvc"
    assert entry["message"].startswith("Begin nginx")
    assert not entry["message"].endswith("\n")


@pytest.mark.parametrize(
    "arguments",
    [("--service", "../etc"), ("--since", "yesterday"), ("--since", "9999999y"), ("--limit", "0")],
)
def test_what_cannot_be_asked_is_refused(call: Called, repo: Path, arguments: tuple[str, str]) -> None:
    assert call("log", "--repo", repo, *arguments) == 2
    assert arguments[1] in call.err
    assert "expected" in call.err or "range" in call.err


@pytest.mark.parametrize(
    ("text", "moment_s"),
    [
        ("7d", 100 * DAY_S - 7 * DAY_S),
        ("30m", 100 * DAY_S - 1800),
        ("1970-01-02", DAY_S),
        ("1970-01-02T00:00:00Z", DAY_S),
        ("1970-01-02T01:00:00+01:00", DAY_S),
    ],
)
def test_times_are_read_in_utc(text: str, moment_s: float) -> None:
    assert parse_since(text, now_s=100 * DAY_S) == moment_s


@pytest.mark.parametrize("text", ["", "7", "7y", "-1d", "1970-13-01", "now"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid, match="since"):
        parse_since(text, now_s=0)
