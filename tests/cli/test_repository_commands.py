"""init, commit and doctor, as a person calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from configsvc.assembly import open_door, open_instance
from configsvc.settings import Settings
from tests.cli.conftest import Called
from tests.store.gitrepo import commit_files, git, new_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return tmp_path / "repo"


def test_init_makes_a_clean_repository(call: Called, repo: Path) -> None:
    assert call("init", "--repo", repo) == 0
    assert f"made {repo} (revision 1)" in call.out
    assert git(repo, "status", "--porcelain") == ""


def test_init_refuses_a_folder_with_files_and_touches_nothing(call: Called, repo: Path) -> None:
    repo.mkdir()
    (repo / "a.json").write_text("{}")
    assert call("init", "--repo", repo) == 6
    assert "is not empty" in call.err
    assert [entry.name for entry in repo.iterdir()] == ["a.json"]


def test_adopt_lists_what_the_gate_would_refuse_and_serves_the_rest(call: Called, repo: Path) -> None:
    new_repository(repo)
    commit_files(
        repo, {"good.json": "{}", "bad.json": "{", "both.json": "{}", "both.yaml": "a: 1", "Odd.yml": "a: 1"}
    )
    assert call("init", "--repo", repo, "--adopt") == 0
    assert "services 3" in call.out
    assert "bad.json:1:2" in call.out
    assert "Odd.yml" in call.out
    assert "both" in call.out
    assert "the gate would refuse" in call.out
    assert git(repo, "status", "--porcelain") == ""


@pytest.mark.parametrize("there", [True, False])
def test_adopt_wants_a_git_repository(call: Called, repo: Path, there: bool) -> None:
    if there:
        repo.mkdir()
        (repo / "x.txt").write_text("x")
    assert call("init", "--repo", repo, "--adopt") == 6
    assert "expected: " in call.err


@pytest.mark.parametrize("running", [True, False])
def test_commit_works_with_and_without_a_server(call: Called, repo: Path, running: bool) -> None:
    call("init", "--repo", repo)
    (repo / "a.json").write_text('{"a": 1}\n')
    if running:
        with open_instance(Settings(repo=repo)) as instance, open_door(instance):
            assert call("commit", "--repo", repo, "-m", "Add a", repo / "a.json") == 0
    else:
        assert call("commit", "--repo", repo, "-m", "Add a", "a.json") == 0
    assert "revision 2" in call.out
    assert "a version 0" in call.out
    assert git(repo, "log", "-1", "--format=%s") == "Add a"
    assert call("commit", "--repo", repo) == 0
    assert "nothing to commit" in call.out


@pytest.mark.parametrize("running", [True, False])
def test_a_refused_commit_says_file_line_and_column(call: Called, repo: Path, running: bool) -> None:
    call("init", "--repo", repo)
    (repo / "a.json").write_text('{\n  "a": x\n}\n')
    if running:
        with open_instance(Settings(repo=repo)) as instance, open_door(instance):
            code = call("commit", "--repo", repo)
    else:
        code = call("commit", "--repo", repo)
    assert code != 0
    assert "a.json:2:8" in call.err
    assert "Traceback" not in call.err


def test_a_path_outside_the_repository_is_refused(call: Called, repo: Path) -> None:
    call("init", "--repo", repo)
    assert call("commit", "--repo", repo, "../elsewhere") != 0
    assert "outside" in call.err


def test_doctor_finds_nothing_wrong_with_a_new_repository(call: Called, repo: Path) -> None:
    call("init", "--repo", repo)
    assert call("doctor", "--repo", repo) == 0
    assert "failure" not in call.out
    assert "working tree: at head" in call.out
    assert "server: not running" in call.out


def test_doctor_says_what_is_odd_and_what_to_do(call: Called, repo: Path) -> None:
    call("init", "--repo", repo)
    (repo / "a.json").write_text("{}")
    (repo / ".git/refs/heads/main.lock").touch()
    git(repo, "config", "gc.auto", "1")
    assert call("doctor", "--repo", repo) == 0
    assert "1 edits that are not committed: a.json" in call.out
    assert "refs/heads/main.lock" in call.out
    assert "gc.auto differ" in call.out
    assert call.out.count("->") >= 3


def test_doctor_tells_that_others_may_read_past_the_principals(call: Called, repo: Path) -> None:
    call("init", "--repo", repo)
    assert repo.stat().st_mode & 0o077 == 0
    repo.chmod(0o755)
    call("doctor", "--repo", repo)
    assert "any user of this machine" not in call.out
    call("token", "create", "admin", "--role", "admin", "--path", "**", "--repo", repo)
    call("doctor", "--repo", repo)
    assert f"`chmod o= {repo}`" in call.out
    repo.chmod(0o750)
    call("doctor", "--repo", repo)
    assert "any user of this machine" not in call.out


def test_doctor_fails_on_a_damaged_object(call: Called, repo: Path) -> None:
    call("init", "--repo", repo)
    pack = next((repo / ".git/objects/pack").glob("*.pack"))
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    content[20] ^= 0xFF
    pack.write_bytes(content)
    assert call("doctor", "--repo", repo) == 1
    assert "failure" in call.out


def test_doctor_warns_of_large_folders_and_of_another_branch(call: Called, repo: Path) -> None:
    new_repository(repo)
    commit_files(repo, {f"s{n}.json": "{}" for n in range(1001)})
    git(repo, "checkout", "-q", "-b", "topic")
    assert call("doctor", "--repo", repo) == 0
    assert "more than 1000 entries in . (1001)" in call.out
    assert "refs/heads/topic is checked out" in call.out


def test_doctor_sees_a_running_server(call: Called, repo: Path) -> None:
    with open_instance(Settings(repo=repo)):
        assert call("doctor", "--repo", repo) == 0
    assert "server: running" in call.out


def test_a_repository_that_cannot_be_written_is_read_and_its_state_told(call: Called, repo: Path) -> None:
    call("init", "--repo", repo)
    lock = repo / ".git" / "configsvc" / "lock"
    lock.unlink()
    lock.mkdir()  # as good as a disk that is mounted to be read: root could write the latter's modes away
    assert call("get", "--repo", repo) == 0
    assert call("put", "a", "--repo", repo, stdin="n: 1\n") == 6
    assert "lock cannot be written: " in call.err
    assert call("commit", "--repo", repo) == 6
    assert call("doctor", "--repo", repo) == 1
    assert "lock cannot be written: " in call.out
    assert "packs: " in call.out
