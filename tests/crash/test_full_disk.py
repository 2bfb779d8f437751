"""The disk fills up under a running server, and is freed again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash.smalldisk import FILLS, empty, small_disk
from tests.end_to_end.client import Client, Reply, connected
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.ledger import Ask, Ledger, audit, audit_served
from tests.end_to_end.serving import QUIET, ROOT, serving
from tests.store.gitrepo import git

REFUSED_WRITES = 20
READY_WITHIN_S = 20.0
UNUSABLE = 6

pytestmark = [pytest.mark.slow, pytest.mark.crash]


def assert_refused(reply: Reply) -> None:
    """Fail unless the reply is a 503 as the original system words its errors."""
    assert reply.status == 503
    body = reply.json()
    (detail,) = body.pop("details")
    assert body == {"error": 503, "message": "service unavailable", "success": False}
    assert detail["code"] in ("write-failed", "outcome-unknown")
    assert "No space left on device" in detail["message"] or detail["code"] == "outcome-unknown"
    assert int(reply.headers["retry-after"]) > 0


def wait_until_ready(client: Client) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while (reply := client.ask("GET", "/readyz")).status != 200:
        assert time.monotonic() < give_up_at, reply
        time.sleep(0.05)


@pytest.mark.parametrize("kind", FILLS)
def test_reads_survive_a_full_disk_and_the_same_process_writes_when_there_is_room(
    tmp_path: Path, kind: str
) -> None:
    options, fill = FILLS[kind]
    ledger = Ledger()
    with small_disk(tmp_path / "disk", options) as disk:
        root = disk / "repo"
        with serving(root, *QUIET) as server, connected(server.url) as client:
            for number in range(3):
                ask = Ask("PATCH" if number else "POST", "nginx", f"before-{number}", {"number": number})
                ledger.add(ask, ask.send(client))
            wait_until_clean(root)
            fill(disk)
            refused = [Ask("PATCH", "nginx", f"full-{n}", {"full": n}) for n in range(REFUSED_WRITES)]
            for ask in refused:
                assert_refused(ask.send(client))
                assert client.config("GET", "nginx", query="&version=2").json() == {"number": 2}
            ready = client.ask("GET", "/readyz")
            assert (ready.status, ready.json()["status"]) == (503, "unready")
            assert ready.json()["problems"]
            assert client.ask("GET", "/healthz").status == 200
            empty(disk)
            ledger.add(refused[-1], refused[-1].send(client))  # at once, and by the same process
            wait_until_ready(client)
            create = Ask("POST", "payments/api", "after", {"number": 0})
            ledger.add(create, create.send(client))
            wait_until_clean(root)
            history = audit(root, ledger, refused)
            audit_served(client, root, history)
            assert server.stop() == 0
        assert git(root, "status", "--porcelain") == ""


@pytest.mark.thorough
@pytest.mark.parametrize("kind", FILLS)
def test_a_server_started_on_a_full_disk_says_so_in_one_line_and_starts_when_there_is_room(
    tmp_path: Path, kind: str
) -> None:
    options, fill = FILLS[kind]
    with small_disk(tmp_path / "disk", options) as disk:
        root = disk / "repo"
        with serving(root, *QUIET) as server, connected(server.url) as client:
            assert client.config("POST", "nginx", {"n": 0}).status == 201
            wait_until_clean(root)  # or what the kill leaves half written is room for a start
            server.kill()
        fill(disk)
        started = subprocess.run(
            [sys.executable, "-m", "configsvc.cli", "serve", "--repo", str(root), "--listen", "127.0.0.1:0"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (started.returncode, started.stdout) == (UNUSABLE, "")
        (line,) = started.stderr.strip().splitlines()
        assert "No space left on device" in line
        empty(disk)
        with serving(root, *QUIET) as server, connected(server.url) as client:
            assert client.config("GET", "nginx").json() == {"n": 0}
            assert client.config("PATCH", "nginx", {"n": 1}).status == 200
            wait_until_clean(root)
