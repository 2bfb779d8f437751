"""System calls of one thread made to fail, from outside, by strace(1)."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STOPPED_WITHIN_S = 20.0


@dataclass
class Fault:
    """What is made to fail; `injected` tells afterwards how often it did.

    Args:
        call: Name of a system call.
        error: Name of an error, such as `EIO`.
        nth: The first of the calls that fails, counted from 1.
        lasting: All after it fail as well.
    """

    call: str
    error: str
    nth: int
    lasting: bool
    injected: int = 0

    @property
    def expression(self) -> str:
        """The fault in strace's words."""
        return f"inject={self.call}:error={self.error}:when={self.nth}{'+' if self.lasting else ''}"


@contextlib.contextmanager
def injecting(thread_id: int, fault: Fault) -> Iterator[None]:
    """Let calls of a thread fail while the block runs.

    Args:
        thread_id: As the kernel counts threads; for the process's id, only its first thread.
    """
    with tempfile.NamedTemporaryFile(prefix="strace-") as output:
        what = ["-e", f"trace={fault.call}", "-e", fault.expression]
        strace = subprocess.Popen(
            ["strace", "-p", str(thread_id), *what, "-o", output.name], stderr=subprocess.PIPE, text=True
        )
        with strace:
            assert strace.stderr is not None
            attached = strace.stderr.readline()
            assert "attached" in attached, attached
            try:
                yield
            finally:
                strace.terminate()
                strace.wait(STOPPED_WITHIN_S)
        fault.injected = Path(output.name).read_text().count("(INJECTED)")


def thread_id(name: str) -> int:
    """Return the kernel's id of the thread of this process that has a name."""
    (found,) = [thread.native_id for thread in threading.enumerate() if thread.name == name]
    assert found is not None
    return found
