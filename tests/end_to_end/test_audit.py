"""What a served repository leaves in the audit log, and that no token is left anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from configsvc.access.credentials import make_token
from tests.end_to_end.serving import ROOT, Server, serving
from tests.store.gitrepo import git, run_git

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


@dataclass
class Site:
    """A running server with principals, and the tokens that were ever sent to it."""

    server: Server
    repo: Path
    audit: Path
    log: Path
    tokens: dict[str, str]

    def ask(self, method: str, target: str, token: str | None, value: object = None) -> int:
        """Return the status of an answer."""
        return self.server.ask(method, target, value, token=token).status

    def events(self) -> list[dict[str, object]]:
        """Return what the audit log has, once it is written."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


def configsvc(*arguments: object) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(
        [sys.executable, "-m", "configsvc.cli", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def create(repo: Path, name: str, role: str, pattern: str) -> str:
    place = ("--role", role, "--path", pattern, "--repo", repo)
    return configsvc("token", "create", name, *place).splitlines()[-1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    repo, audit = tmp_path / "repo", tmp_path / "audit.log"
    configsvc("init", "--repo", repo)
    tokens = {"admin": create(repo, "admin", "admin", "**"), "bot": create(repo, "bot", "reader", "**")}
    log = tmp_path / "server.log"
    to_file = ("sh", "-c", 'exec "$@" 2>>"$SERVER_LOG"', "sh")
    with serving(repo, "--audit-log", str(audit), prefix=to_file, environ={"SERVER_LOG": str(log)}) as server:
        yield Site(server, repo, audit, log, tokens)


def push(site: Site, clone: Path, name: str, content: str) -> int:
    header = f"http.extraHeader=Authorization: Bearer {site.tokens['admin']}"
    if not clone.exists():
        done = run_git(
            clone.parent, "-c", header, "clone", "-q", f"{site.server.url}/config-repo.git", clone.name
        )
        assert done.returncode == 0, done.stderr
    (clone / name).write_text(content)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Change")
    return run_git(clone, "-c", header, "push", "-q", "origin", "HEAD:refs/for/main").returncode


def test_each_change_and_refusal_is_one_line_that_says_who_what_and_where(site: Site, tmp_path: Path) -> None:
    admin, bot = site.tokens["admin"], site.tokens["bot"]
    assert site.ask("POST", "/config?service=nginx", admin, {"a": 1}) == 201
    assert site.ask("PATCH", "/config?service=nginx", bot, {"a": 2}) == 403
    assert site.ask("GET", "/config?service=nginx", None) == 401
    assert site.ask("GET", "/config?service=nginx", bot) == 200
    assert site.ask("PUT", "/api/v1/configs/nginx?dry_run=true", admin, [1]) == 400
    assert push(site, tmp_path / "clone", "pushed.json", "{}\n") == 0
    assert push(site, tmp_path / "clone", "broken.json", "{\n") != 0
    configsvc("token", "revoke", "bot", "--repo", site.repo)
    assert site.ask("GET", "/config?service=nginx", bot) == 401
    assert site.server.stop() == 0
    events = site.events()
    shown = [
        tuple(str(event.get(name, "")) for name in ("outcome", "door", "principal", "action", "path", "code"))
        for event in events
        if event["door"] != "local"
    ]
    assert shown == [
        ("done", "api", "admin", "POST", "nginx", ""),
        ("refused", "api", "bot", "PATCH", "nginx", "forbidden"),
        ("refused", "api", "admin", "PUT", "nginx", "document-invalid"),
        ("done", "git", "admin", "push", "refs/for/main", ""),
        ("refused", "git", "admin", "push", "refs/for/main", "push-refused"),
        ("refused", "api", "", "GET", "nginx", "unauthorized"),
    ]
    (revoked,) = [event for event in events if event["door"] == "local"]
    assert (revoked["action"], revoked["path"], revoked["outcome"]) == ("principals.revoke", "bot", "done")
    landed = next(event for event in events if event["door"] == "git")
    assert landed["commit_id"] == git(site.repo, "log", "-1", "--format=%H", "--", "pushed.json")
    assert {event["remote"] for event in events if event["door"] != "local"} == {"127.0.0.1"}
    assert all(event["request_id"] for event in events if event["door"] != "local")
    assert site.audit.stat().st_mode & 0o077 == 0


def test_no_token_is_left_in_repository_logs_errors_or_command_lines(site: Site, tmp_path: Path) -> None:
    site.tokens["stranger"] = make_token()
    answers = []
    for token in site.tokens.values():
        site.ask("POST", "/config?service=nginx", token, {"a": 1})
        site.ask("GET", f"/config?service=nginx&access_token={token}", None)
        site.ask("GET", f"/{token}", token)
        answers.append(site.server.ask("GET", f"/api/v1/configs/{token}"))
    assert push(site, tmp_path / "clone", "pushed.json", "{}\n") == 0
    processes = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    configsvc("token", "rotate", "bot", "--repo", site.repo)
    assert site.server.stop() == 0
    objects = run_git(site.repo, "cat-file", "--batch", "--batch-all-objects").stdout
    files = b"".join(path.read_bytes() for path in site.repo.rglob("*") if path.is_file())
    places = {
        "objects": objects,
        "files": files,
        "audit log": site.audit.read_bytes(),
        "log": site.log.read_bytes(),
        "answers": "".join(answer.text for answer in answers).encode(),
    }
    assert b"[redacted]" in places["log"], "the tokens that were put into URLs were not logged at all"
    for name, token in site.tokens.items():
        for place, text in places.items():
            assert token.encode() not in text, f"token of {name} in {place}"
        assert processes.count(token.encode()) == 0, f"token of {name} on a command line"
