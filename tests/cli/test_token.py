"""token create, list, rotate and revoke, as a person calls them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from configsvc.access.credentials import is_own_token, token_hash
from configsvc.access.decide import Access
from configsvc.assembly import open_door, open_instance
from configsvc.core.errors import Unauthorized
from configsvc.door import DoorRefused, ask_door
from configsvc.settings import Settings
from configsvc.store.gitstore import GitStore
from configsvc.store.repository import git_dir_of
from tests.cli.conftest import Called
from tests.end_to_end.serving import QUIET, serving
from tests.store.gitrepo import git

pytestmark = pytest.mark.slow

HASH = "0" * 64


@pytest.fixture
def repo(tmp_path: Path, call: Called) -> Path:
    repo = tmp_path / "repo"
    assert call("init", "--repo", repo) == 0
    return repo


def make(call: Called, repo: Path, name: str, role: str, path: str, *more: str) -> str:
    """Make a principal and return its token."""
    assert call("token", "create", name, "--role", role, "--path", path, "--repo", repo, *more) == 0
    return call.out.splitlines()[-1]


def who(repo: Path, token: str) -> str | None:
    """Return whose token it is, None for nobody's."""
    with GitStore.open(repo) as store, contextlib.suppress(Unauthorized):
        return Access(store.snapshot).authenticate(f"Bearer {token}").name
    return None


def test_the_token_alone_is_on_the_last_line_and_nowhere_in_the_repository(call: Called, repo: Path) -> None:
    token = make(call, repo, "admin", "admin", "**")
    assert is_own_token(token)
    assert who(repo, token) == "admin"
    file = git(repo, "show", "main:.configsvc/principals/admin.yaml")
    assert token_hash(token) in file
    assert token not in file + git(repo, "log", "-p", "--all")
    assert git(repo, "log", "-1", "--format=%s") == "Create principal admin"
    assert git(repo, "status", "--porcelain") == ""


@pytest.mark.thorough
@pytest.mark.parametrize("running", [True, False])
def test_a_life_of_principals_with_and_without_a_server(call: Called, repo: Path, running: bool) -> None:
    with contextlib.ExitStack() as held:
        if running:
            instance = held.enter_context(open_instance(Settings(repo=repo)))
            held.enter_context(open_door(instance))
        make(call, repo, "admin", "admin", "**")
        make(call, repo, "bot", "writer", "payments/**", "--path", "shared/*", "--expires", "30")
        assert call("token", "list", "--repo", repo) == 0
        assert "admin on **\n" in call.out
        assert "writer on payments/**\n  writer on shared/*\n" in call.out
        assert "never expires" in call.out
        assert "expires 20" in call.out
        old = call.out.partition("bot")[2].partition("token ")[2][:8]
        assert call("token", "rotate", "bot", "--repo", repo) == 0
        new = call.out.splitlines()[-1]
        assert is_own_token(new)
        assert call("token", "revoke", "bot", "--token", old, "--repo", repo) == 0
        assert f"revoked token {old} of bot" in call.out
        assert call("token", "list", "--repo", repo) == 0
        assert old not in call.out
        assert token_hash(new)[:8] in call.out
        assert call("token", "revoke", "bot", "--repo", repo) == 0
        assert call("token", "list", "--repo", repo) == 0
        assert "bot" not in call.out
    assert who(repo, new) is None


def test_a_life_of_principals_on_a_server(
    call: Called, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "repo", *QUIET) as server:

        def made(*arguments: str) -> str:
            assert call("token", *arguments, "--url", server.url) == 0, call.err
            return call.out.splitlines()[-1]

        admin = made("create", "admin", "--role", "admin", "--path", "**")
        assert call("token", "list", "--url", server.url) == 7
        assert "credential: none" in call.err
        monkeypatch.setenv("CONFIGSVC_TOKEN", admin)
        first = made(
            "create", "bot", "--role", "writer", "--path", "a/**", "--expires", "30", "--email", "b@x.y"
        )
        second = made("rotate", "bot", "--overlap", "1")
        made("list")
        assert "bot\n  writer on a/**\n" in call.out
        assert [token_hash(token)[:8] in call.out for token in (first, second)] == [True, True]
        assert call.out.count("expires 20") == 1
        made("revoke", "bot", "--token", token_hash(first)[:8])
        made("revoke", "bot")
        assert call("token", "revoke", "bot", "--url", server.url) == 3
        assert call("token", "revoke", "admin", "--url", server.url) == 4
        made("list")
        assert "bot" not in call.out
        assert git(tmp_path / "repo", "log", "-1", "--format=%an").strip() == "admin"


def test_a_rotation_without_overlap_ends_the_old_token(call: Called, repo: Path) -> None:
    old = make(call, repo, "admin", "admin", "**")
    assert call("token", "rotate", "admin", "--overlap", "0", "--repo", repo) == 0
    new = call.out.splitlines()[-1]
    assert (who(repo, old), who(repo, new)) == (None, "admin")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["create", "bot", "--role", "writer", "--path", "a"], 4, "nobody would be left"),
        (["create", "a/b", "--role", "admin", "--path", "**"], 2, "principal: 'a/b' has a /"),
        (["create", "bot", "--role", "admin", "--path", "pay*"], 2, "path pattern: 'pay*' (expected: *"),
        (["create", "bot", "--role", "owner", "--path", "**"], 2, "'owner' is not one of"),
        (["create", "bot", "--role", "admin", "--path", "**", "--expires", "0"], 2, "--expires"),
        (["create", "bot", "--role", "admin", "--path", "**", "--email", "x"], 2, "email: another value"),
        (["rotate", "bot"], 3, "principal: bot does not exist"),
        (["revoke", "bot"], 3, "principal: bot does not exist"),
        (["list", "--url", "http://localhost"], 2, "--url: is given with --repo"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    call: Called, repo: Path, arguments: list[str], code: int, message: str
) -> None:
    assert call("token", *arguments, "--repo", repo) == code
    assert message in call.err
    assert "cfg_" not in call.out + call.err
    assert "Traceback" not in call.err


def test_a_name_is_taken_once_and_the_last_admin_stays(call: Called, repo: Path) -> None:
    make(call, repo, "admin", "admin", "**")
    assert call("token", "create", "admin", "--role", "admin", "--path", "**", "--repo", repo) == 4
    assert call("token", "revoke", "admin", "--repo", repo) == 4
    assert "nobody would be left" in call.err


def test_a_list_of_nobody_says_what_that_means(call: Called, repo: Path) -> None:
    assert call("token", "list", "--repo", repo) == 0
    assert call.out == "no principals: everyone who reaches the server may do everything\n"


def test_a_comment_in_a_principals_file_survives_a_rotation(call: Called, repo: Path) -> None:
    make(call, repo, "admin", "admin", "**")
    path = repo / ".configsvc/principals/admin.yaml"
    path.write_text("# ask before you change this\n" + path.read_text())
    assert call("commit", "--repo", repo) == 0
    assert call("token", "rotate", "admin", "--repo", repo) == 0
    assert path.read_text().startswith("# ask before you change this\n")


def test_an_edit_by_hand_that_leaves_no_admin_is_refused(call: Called, repo: Path) -> None:
    make(call, repo, "admin", "admin", "**")
    path = repo / ".configsvc/principals/admin.yaml"
    path.write_text(path.read_text().replace('"**": admin', "a/**: admin"))
    assert call("commit", "--repo", repo) == 2
    assert "nobody would be left" in call.err
    path.unlink()
    assert call("commit", "--repo", repo) == 2


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"act": "drop"},
        {"act": 1},
        {"act": "create", "name": "a"},
        {"act": "create", "name": "a", "roles": {"**": "owner"}},
        {"act": "create", "name": "a", "roles": {"**": ["admin"]}},
        {"act": "create", "name": "a", "roles": {"**": "admin"}, "token": "x"},
        {"act": "create", "name": 1, "roles": {"**": "admin"}, "token": {"sha256": HASH}},
        {"act": "create", "name": "a", "roles": {"**": "admin"}, "token": {"sha256": HASH, "expires": "x"}},
        {"act": "rotate", "name": "a", "token": {"sha256": HASH}, "overlap_s": -1},
        {"act": "rotate", "name": "a", "token": {"sha256": HASH}, "overlap_s": "x"},
        {"act": "rotate", "name": "a", "token": {"sha256": HASH}, "overlap_s": 1e300},
        {"act": "revoke"},
    ],
)
def test_a_malformed_request_at_the_door_is_refused(repo: Path, request_: dict[str, object]) -> None:
    with open_instance(Settings(repo=repo)) as instance, open_door(instance):
        with pytest.raises(DoorRefused) as refused:
            ask_door(git_dir_of(repo), {"do": "principals", **request_})
        assert refused.value.refused_code != "internal", json.dumps(request_)
        assert instance.store.snapshot().revision == 1
