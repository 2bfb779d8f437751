"""One process holds a repository; the next one says who holds it and leaves everything alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.client import connected
from tests.end_to_end.serving import QUIET, ROOT, serving
from tests.store.gitrepo import assert_sound, git

UNUSABLE = 6
STARTS = 4

pytestmark = pytest.mark.slow


def start(root: Path) -> subprocess.Popen[str]:
    """Start a server and do not wait for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "configsvc.cli", "serve", "--repo", str(root), "--listen", "127.0.0.1:0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_names_the_one_that_holds_the_repository(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    with serving(root, *QUIET) as server, connected(server.url) as client:
        assert client.config("POST", "nginx", {"n": 0}).status == 201
        out, err = start(root).communicate(timeout=30)
        assert out == ""
        (line,) = err.strip().splitlines()
        assert f"{root} is held by process {server.process.pid} " in line
        assert client.config("PATCH", "nginx", {"n": 1}).status == 200
        server.kill()
    with serving(root, *QUIET) as server, connected(server.url) as client:
        assert client.config("GET", "nginx", query="&version=1").json() == {"n": 1}


@pytest.mark.thorough
def test_of_several_that_start_at_once_on_a_new_folder_one_serves(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    servers = [start(root) for _ in range(STARTS)]
    holders = []
    for server in servers:
        assert server.stdout is not None
        if "serving" in server.stdout.readline():
            holders.append(server)
    assert len(holders) == 1
    holders[0].terminate()
    errors = [server.communicate(timeout=30)[1] for server in servers]
    assert sorted(server.returncode for server in servers) == [0] + [UNUSABLE] * (STARTS - 1)
    refusals = [error for error, server in zip(errors, servers, strict=True) if server.returncode]
    assert all(f"held by process {holders[0].pid}" in refusal for refusal in refusals), refusals
    assert git(root, "rev-list", "--count", "main") == "1"
    assert git(root, "status", "--porcelain") == ""
    assert_sound(root)


@pytest.mark.thorough
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_refused_and_both_are_named(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    with serving(root, *QUIET):
        pass
    os.chown(root / ".git", 12345, 12345)
    out, err = start(root).communicate(timeout=30)
    assert out == ""
    (line,) = err.strip().splitlines()
    assert f"{root / '.git'} belongs to user 12345, and this process runs as user 0 (root)" in line
    assert f"`chown -R 0 {root}`" in line
