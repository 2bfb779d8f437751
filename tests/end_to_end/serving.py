"""A server of its own process, as an operator starts one, and a plain client for it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY = re.compile(r"serving (?P<repo>.+) at (?P<url>https?://\S+) \(revision (?P<revision>\d+)\)")
READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 20.0
QUIET = ("--log-level", "warning")
"""Flags of a server whose requests are too many to be logged."""

# No proxy of the environment may stand between a test and its server.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """Status and body of an HTTP answer."""

    status: int
    text: str

    def json(self) -> object:
        """Return what the body parses to."""
        return json.loads(self.text)


@dataclass
class Server:
    """A running `configsvc serve`.

    Args:
        url: Where it answers, without a path.
        ready: The line it printed when it was ready.
    """

    process: subprocess.Popen[str]
    url: str
    ready: str

    def ask(self, method: str, target: str, value: object = None, *, token: str | None = None) -> Answer:
        """Return the answer to one request; `value` is sent as JSON, `token` as credential."""
        data = None if value is None else json.dumps(value).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        headers |= {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(self.url + target, data, headers, method=method)
        try:
            with _OPENER.open(request, timeout=30) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())

    def stop(self) -> int:
        """End the process with SIGTERM and return its exit code."""
        self.process.terminate()
        return self.process.wait(STOPPED_WITHIN_S)

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self.process.kill()
        self.process.wait(STOPPED_WITHIN_S)


@contextlib.contextmanager
def serving(
    repo: Path, *flags: str, environ: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[Server]:
    """Serve `repo` on a free port of loopback until the block ends.

    Args:
        prefix: Command that runs the server in its own process, such as `prlimit`.
    """
    serve = [sys.executable, "-m", "configsvc.cli", "serve", "--repo", str(repo), "--listen", "127.0.0.1:0"]
    command = [*prefix, *serve]
    with contextlib.ExitStack() as held:
        process = held.enter_context(
            subprocess.Popen(
                [*command, *flags],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
            )
        )
        held.callback(_end, process)
        ready = _ready_line(process)
        match = READY.search(ready)
        assert match is not None, f"{ready!r} (expected: the ready line)"
        yield Server(process, match["url"], ready)


def _ready_line(process: subprocess.Popen[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        lines.put(process.stdout.readline())
        # Whatever comes later is taken too, so that the server never waits for a reader.
        for _ in process.stdout:
            pass

    threading.Thread(target=read, daemon=True).start()
    return lines.get(timeout=READY_WITHIN_S)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
