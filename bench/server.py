"""A real `configsvc serve` in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType

STOP_TIMEOUT_S = 30.0
_READY = re.compile(rb"at http://127\.0\.0\.1:(\d+) \(revision \d+\)")


class ServerProcess:
    """A server on a free port of this machine, started on entry and stopped on exit.

    `start_s` is the time from the start of the process to its line that it is ready.
    """

    def __init__(self, repo: Path, *flags: str) -> None:
        self._log_path = repo.with_name(repo.name + ".log")
        with self._log_path.open("ab") as log:
            started = time.perf_counter()
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "configsvc.cli",
                    "serve",
                    "--repo",
                    str(repo),
                    "--listen",
                    "127.0.0.1:0",
                    *flags,
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).resolve().parent.parent,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.start_s = time.perf_counter() - started
        found = _READY.search(line)
        if found is None:
            self.kill()
            raise RuntimeError(f"server: said {line!r} (expected: that it is ready); {self._last_words()}")
        self.port = int(found[1])

    @property
    def pid(self) -> int:
        """Number of the server's process."""
        return self._process.pid

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def readiness(self) -> dict[str, object]:
        """Return what `/readyz` says; raise when it does not say 200."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
            told = json.load(answer)
        assert isinstance(told, dict)
        return told

    def stop(self) -> None:
        """Let the server drain and end; raise when it does not end well."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"server: still there {STOP_TIMEOUT_S:.0f} s after SIGTERM") from None
        self._close()
        if code != 0:
            raise RuntimeError(f"server: exit {code} (expected: 0); {self._last_words()}")

    def kill(self) -> None:
        """End the server as a power cut would: at once."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _last_words(self) -> str:
        return self._log_path.read_text(errors="replace")[-2000:]
