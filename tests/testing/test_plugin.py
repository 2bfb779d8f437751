"""The fixtures that other projects get, used as they use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from configsvc.testing import FakeServer
from configsvc.testing.server import RunningServer
from tests.client.live.waiting import eventually
from tests.end_to_end.serving import ROOT

pytestmark = pytest.mark.slow

THEIRS = """
import threading


def test_with_the_fake(configsvc_fake):
    configsvc_fake.put("shop/api", {"n": 1})
    with configsvc_fake.client() as client:
        config = client.config("shop/api")
        changed = threading.Event()
        config.on_change(lambda change: changed.set())
        configsvc_fake.put("shop/api", {"n": 2})
        assert changed.wait(20)
        assert config["n"] == 2


def test_with_a_real_server(configsvc_server):
    with configsvc_server.client() as client:
        client.put("shop/api", {"n": 1})
        assert client.config("shop/api")["n"] == 1
    assert (configsvc_server.repo / ".git").is_dir()
"""

LIGHT = """
import sys
import pytest
before = set(sys.modules)
import configsvc.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.thorough
@pytest.mark.slow
def test_another_project_has_the_fixtures_without_doing_anything(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:randomly",
            "--rootdir",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_loading_it_costs_every_run_of_pytest_nothing() -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert set(ran.stdout.split()) == {"configsvc", "configsvc.pytest_plugin"}


@pytest.mark.thorough
@pytest.mark.slow
def test_a_real_server_in_this_process_starts_empty_and_tells_of_changes(
    configsvc_server: RunningServer,
) -> None:
    with configsvc_server.client() as client:
        assert client.list_configs().items == ()
        client.put("shop/api", {"n": 1})
        config = client.config("shop/api")
        eventually(lambda: config.age_s == 0.0)
        client.put("shop/api", {"n": 2})
        eventually(lambda: config["n"] == 2)


def test_the_fake_says_what_it_does_not_play(configsvc_fake: FakeServer) -> None:
    with (
        configsvc_fake.client() as client,
        pytest.raises(Exception, match="GET /api/v1/commits: not played by FakeServer"),
    ):
        client.list_commits()
