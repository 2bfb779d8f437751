"""The examples do what they show."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configsvc.client import Client, LiveOptions
from tests.client.live.waiting import eventually
from tests.end_to_end.serving import QUIET, ROOT, Server, serving

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

EXAMPLES = ROOT / "examples"
PATIENCE_S = 60.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("examples") / "repo", *QUIET) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, live=LiveOptions(cache_dir=None)) as made:
        yield made


class Program:
    """A program and the lines it says, on whichever stream."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._heard: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def line(self, pattern: str | re.Pattern[str]) -> str:
        """Return what matches in the next line in which `pattern` is found."""
        while True:
            try:
                found = re.search(pattern, self._lines.get(timeout=PATIENCE_S))
            except queue.Empty:
                pytest.fail(f"{pattern} is not among: {''.join(self._heard)}")
            if found is not None:
                return found[0]

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._heard.append(line)
            self._lines.put(line)


@contextlib.contextmanager
def program(url: str, cache: Path, *command: str) -> Iterator[Program]:
    """Run a program of Python until the block ends."""
    environ = {**os.environ, "CONFIGSVC_URL": url, "XDG_CACHE_HOME": str(cache), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environ,
    ) as process:
        running = Program(process)
        try:
            yield running
        finally:
            process.terminate()
            running.end()


def get(url: str) -> Any:
    """Return what a page answers."""
    with _OPENER.open(url, timeout=10) as answer:
        return json.load(answer)


def test_the_script_works_at_the_pace_of_its_config_until_that_ends_it(
    server: Server, client: Client, tmp_path: Path
) -> None:
    client.put("apps/job", {"pause_s": 3600})
    with program(server.url, tmp_path, str(EXAMPLES / "script.py")) as running:
        running.line(r"begins with Job\(pause_s=3600.0, is_ended=False\) from server")
        client.patch("apps/job", {"pause_s": 0.01})
        running.line("version 1: /pause_s changed")
        client.patch("apps/job", {"is_ended": True})
        running.line("ended")
        assert running.end() == 0


def test_every_forked_worker_of_the_flask_application_stays_up_to_date(
    server: Server, client: Client, tmp_path: Path
) -> None:
    client.put("apps/web", {"greeting": "Hello", "max_items": 3})
    command = ["--preload", "--workers", "2", "--bind", "127.0.0.1:0", "--chdir", str(EXAMPLES)]
    with program(server.url, tmp_path, "-m", "gunicorn", *command, "flask_app:app") as running:
        url = running.line(ADDRESS)
        seen: dict[int, str] = {}

        def are_two(greeting: str) -> bool:
            told = get(url)
            seen[told["worker"]] = told["greeting"]
            return len(seen) == 2 and set(seen.values()) == {greeting}

        eventually(lambda: are_two("Hello"))
        client.patch("apps/web", {"greeting": "Welcome"})
        eventually(lambda: are_two("Welcome"))
        assert get(url)["items"] == [0, 1, 2]
        eventually(lambda: get(url + "/health")["is_connected"])
        client.patch("apps/web", {"max_items": "many"})
        eventually(lambda: "/max_items" in get(url + "/health")["problem"])
        assert get(url)["greeting"] == "Welcome"


def test_the_fastapi_application_stays_up_to_date(server: Server, client: Client, tmp_path: Path) -> None:
    client.put("apps/web", {"greeting": "Hello", "max_items": 2})
    command = ["--app-dir", str(EXAMPLES), "--port", "0", "fastapi_app:app"]
    with program(server.url, tmp_path, "-m", "uvicorn", *command) as running:
        url = running.line(ADDRESS)
        assert get(url) == {"greeting": "Hello", "items": [0, 1]}
        client.patch("apps/web", {"greeting": "Welcome"})
        running.line("version .*: /greeting")
        assert get(url)["greeting"] == "Welcome"
        client.patch("apps/web", {"max_items": 1001})
        eventually(lambda: "less than or equal to 1000" in get(url + "/health")["problem"])
        assert get(url)["items"] == [0, 1]


def test_an_application_starts_without_a_server_with_the_copy_of_its_last_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("outage")
    program_ = [str(EXAMPLES / "script.py")]
    with serving(folder / "repo", *QUIET) as server:
        with Client(server.url, live=LiveOptions(cache_dir=None)) as client:
            client.put("apps/job", {"pause_s": 0.5, "is_ended": True})
        with program(server.url, folder, *program_) as running:
            running.line("from server")
            assert running.end() == 0
    with program(server.url, folder, *program_) as running:
        running.line(r"begins with Job\(pause_s=0.5, is_ended=True\) from disk")
        assert running.end() == 0
