"""The shell example, as its first lines say to run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from configsvc.client import Client
from tests.end_to_end.serving import QUIET, ROOT, serving

pytestmark = pytest.mark.slow


@pytest.mark.thorough
def test_the_worker_runs_with_what_is_newest_and_stops_when_it_is_told(tmp_path: Path) -> None:
    program = tmp_path / "configsvc"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m configsvc.cli "$@"\n')
    program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with serving(tmp_path / "repo", *QUIET) as server, Client(server.url) as client:
        client.put("payments/api", {"timeout_s": 10})
        with subprocess.Popen(
            [ROOT / "examples" / "shell" / "worker.sh", "payments/api"],
            env=os.environ | environ | {"CONFIGSVC_URL": server.url},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "version 0: timeout 10 s, region any\n"
            client.patch("payments/api", {"timeout_s": 20, "region": "eu-west-1"})
            assert process.stdout.readline() == "stopping\n"
            assert process.stdout.readline() == "version 1: timeout 20 s, region eu-west-1\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readlines() == ["stopping\n"]
            assert process.wait(20) == 0
