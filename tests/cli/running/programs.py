"""`configsvc` as a process of its own, and what it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.serving import ROOT

PATIENCE_S = 60.0


@contextmanager
def configsvc(
    *arguments: object, cwd: Path, stdout: int | None = None, stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a command until the block ends."""
    command = [sys.executable, "-m", "configsvc.cli", *map(str, arguments)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    environ |= {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(cwd)}
    with subprocess.Popen(command, cwd=cwd, text=True, env=environ, stdout=stdout, stderr=stderr) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is so; fail when `process` ends before that."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(0.01)


def lines(path: Path) -> list[str]:
    """Return the whole lines of a file, none when it is not there."""
    if not path.exists():
        return []
    text = path.read_text()
    return text[: text.rfind("\n") + 1].splitlines()
