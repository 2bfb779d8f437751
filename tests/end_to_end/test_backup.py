"""The recipes of docs/backup.md, run as they stand there against a server under load."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.recipes import blocks, run_shell
from tests.end_to_end.serving import ROOT, Server, serving

RECIPES = blocks(ROOT / "docs" / "backup.md", "sh")
VARIABLES = RECIPES["Back up, restore, move"]

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def run_recipe(name: str, folder: Path) -> None:
    result = run_shell(VARIABLES + RECIPES[name], cwd=folder)
    assert result.returncode == 0, f"{name}: {result.stdout}{result.stderr}"


def fails(name: str, folder: Path) -> bool:
    return run_shell(VARIABLES + RECIPES[name], cwd=folder).returncode != 0


def put_versions(server: Server, service: str, versions: range) -> None:
    for number in versions:
        method = "PATCH" if number else "POST"
        answer = server.ask(method, f"/config?service={service}", {"number": number})
        assert answer.status < 300, answer


def number_of(server: Server, service: str, version: int) -> object:
    """Return what `put_versions` wrote as one version of a service."""
    return server.ask("GET", f"/config?service={service}&version={version}").json()


@contextmanager
def writes_going_on(server: Server) -> Iterator[None]:
    """Keep writing to service `load` while the block runs."""
    put_versions(server, "load", range(1))
    ended, written = threading.Event(), threading.Event()
    statuses: list[int] = []

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            statuses.append(server.ask("PATCH", "/config?service=load", {"number": number}).status)
            written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(30)
        yield
    finally:
        ended.set()
        thread.join()
    assert set(statuses) == {200}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("kind", ["mirror", "bundle"])
def test_a_copy_made_under_load_serves_every_version_it_was_made_after(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path / "config-repo") as server:
        put_versions(server, "payments/api", range(5))
        with writes_going_on(server):
            run_recipe("A mirror", tmp_path)
            run_recipe("A bundle", tmp_path)
            run_recipe("Check a copy", tmp_path)
    run_recipe(f"Restore from a {kind}", tmp_path)
    with serving(tmp_path / "restored-repo") as restored:
        assert [number_of(restored, "payments/api", number) for number in range(5)] == [
            {"number": number} for number in range(5)
        ]
        put_versions(restored, "payments/api", range(5, 6))
        assert number_of(restored, "payments/api", 5) == {"number": 5}
    assert git(tmp_path / "restored-repo", "status", "--porcelain") == ""


def test_a_mirror_takes_what_is_new(tmp_path: Path) -> None:
    with serving(tmp_path / "config-repo") as server:
        put_versions(server, "nginx", range(2))
        run_recipe("A mirror", tmp_path)
        put_versions(server, "nginx", range(2, 4))
        run_recipe("A mirror", tmp_path)
    head = git(tmp_path / "config-repo", "rev-parse", "main")
    assert git(tmp_path / "backups" / "mirror.git", "rev-parse", "main") == head


def test_a_mirror_does_not_follow_a_history_that_was_rewritten(tmp_path: Path) -> None:
    repo, mirror = tmp_path / "config-repo", tmp_path / "backups" / "mirror.git"
    with serving(repo) as server:
        put_versions(server, "nginx", range(2))
        run_recipe("A mirror", tmp_path)
    kept = git(mirror, "rev-parse", "main")
    tree = git(repo, "rev-parse", "main^{tree}").strip()
    other = git(repo, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "other", tree).strip()
    (repo / ".git" / "refs" / "heads" / "main").write_text(other + "\n")
    assert fails("A mirror", tmp_path)
    assert git(mirror, "rev-parse", "main") == kept


def test_a_damaged_mirror_does_not_pass_the_check(tmp_path: Path) -> None:
    with serving(tmp_path / "config-repo") as server:
        put_versions(server, "nginx", range(2))
        run_recipe("A mirror", tmp_path)
        run_recipe("A bundle", tmp_path)
    pack = next((tmp_path / "backups" / "mirror.git" / "objects" / "pack").glob("*.pack"))
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 0xFF
    pack.write_bytes(data)
    assert fails("Check a copy", tmp_path)


def test_a_stopped_service_moves_as_a_folder(tmp_path: Path) -> None:
    with serving(tmp_path / "config-repo") as server:
        put_versions(server, "nginx", range(3))
        assert server.stop() == 0
    run_recipe("Move to another machine", tmp_path)
    with serving(tmp_path / "restored-repo") as moved:
        assert number_of(moved, "nginx", 2) == {"number": 2}
        put_versions(moved, "nginx", range(3, 4))
    assert git(tmp_path / "restored-repo", "status", "--porcelain") == ""
