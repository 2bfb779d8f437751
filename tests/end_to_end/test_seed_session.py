"""The original system's session, over a real server, onto a real repository."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.api.transcript import Reply, replay
from tests.end_to_end.serving import serving


def git(repo: Path, *args: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", "-C", str(repo), *args], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_original_session_becomes_one_commit_a_write(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    with serving(repo) as server:

        def ask(method: str, target: str, body: bytes | None) -> Reply:
            answer = server.ask(method, target, None if body is None else json.loads(body))
            return Reply(answer.status, answer.text)

        replay(ask)
        assert server.stop() == 0
    log = git(repo, "log", "--first-parent", "--format=%s", "--name-only", "-3")
    assert [line for line in log.splitlines() if line] == [
        "Update managed-k8s",
        "managed-k8s.json",
        "Create nginx",
        "nginx.json",
        "Create managed-k8s",
        "managed-k8s.json",
    ]
    assert git(repo, "status", "--porcelain") == ""
    assert list(json.loads((repo / "managed-k8s.json").read_text())) == ["service", "data"]
