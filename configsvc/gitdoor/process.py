"""One git process that speaks a protocol through its pipes, bounded in memory and time.

It leads a process group of its own, so that whatever it has started goes with it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from configsvc.core.errors import Unavailable
from configsvc.gitdoor.cputime import CpuAllowance, CpuLimit
from configsvc.store.gitcommand import bare_environment
from configsvc.store.quarantine import quarantines_of, remove_quarantine

CHUNK_BYTES = 64 << 10
MAX_EARLY_BYTES = 8 << 20
"""Most output that is kept while the input is not yet all there."""
MAX_MEMORY_BYTES = 1 << 30
"""Most memory of one git process, packs that it maps aside (RLIMIT_DATA)."""
END_GRACE_S = 2.0
_LAST_WORDS_BYTES = 8192
"""More than git says in one line."""


class GitProcess:
    """A running git command; leave its `with` block, or `end` it, and nothing of it is left.

    Args:
        timeout_s: Seconds from now after which it fails, whatever it is doing.
        tidy_s: Seconds that it has to clean up when it is to end and is not done.
        cpu: What it, and each process that it starts, may use of the processor; None for no limit.
    """

    def __init__(
        self,
        root: Path,
        arguments: Sequence[str],
        *,
        environ: Mapping[str, str],
        timeout_s: float,
        tidy_s: float = 0.0,
        cpu: CpuAllowance | None = None,
    ) -> None:
        self._tidy_s = tidy_s
        self._deadline = time.monotonic() + timeout_s
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`; a pipe would have to be read
        self._has_ended = False
        self._early = bytearray()
        self._git_dir = root / ".git"
        self._process = subprocess.Popen(
            ["git", "-C", str(root), *arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**bare_environment(), **environ},
            start_new_session=True,
        )
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        self._cpu = None if cpu is None else CpuLimit(self._process.pid, cpu)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)

    @property
    def pid(self) -> int:
        """Process id, and id of its group."""
        return self._process.pid

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write the whole input and close it; what the process answers meanwhile is kept for `read`.

        Input that the process does not want is left.

        Raises:
            Unavailable: It took longer than it may, or answers before it has heard all.
        """
        try:
            for chunk in chunks:
                if not self._write(memoryview(chunk)):
                    break
                if self._cpu is not None:
                    self._cpu.count(len(chunk))
        finally:
            with contextlib.suppress(OSError):
                self._stdin.close()

    def read(self) -> bytes:
        """Return the next bytes of its output; empty at the end.

        Raises:
            Unavailable: It took longer than it may.
        """
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            return early
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while True:
                self._wait(selector)
                chunk = self._stdout.read(CHUNK_BYTES)
                if chunk is not None:
                    return bytes(chunk)

    def wait(self) -> int:
        """Return the exit code of a process whose output has ended.

        Raises:
            Unavailable: It does not end.
        """
        try:
            return self._process.wait(max(END_GRACE_S, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise Unavailable("git: does not end (expected: to end with its output)") from error

    def last_words(self) -> str:
        """Return the end of what it said on stderr."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _LAST_WORDS_BYTES))
        return self._stderr.read().decode("utf-8", "replace").strip()

    def find_reason(self) -> str:
        """Return why it fails, where that is a limit of ours; else nothing."""
        return "" if self._cpu is None else self._cpu.find_reason(self.last_words())

    def end(self) -> None:
        """End it with all that it started.  Ending twice is harmless."""
        if self._has_ended:
            return  # its number may be another's by now
        self._has_ended = True
        with contextlib.suppress(OSError):
            self._stdin.close()
        # git does not clean up when a signal ends it, and a push may have left 256 MiB.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._tidy_s)
        apart = quarantines_of(self._process.pid) if self._process.poll() is None else ()
        self._stdout.close()
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            # Also when it has ended by itself: something that it started may go on.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal_)
            if self._process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_GRACE_S)
        for folder in apart:
            remove_quarantine(self._git_dir, folder)
        self._stderr.close()

    def __enter__(self) -> GitProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _write(self, rest: memoryview) -> bool:
        """Write some input; return False when the process takes no more."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            selector.register(self._stdout, selectors.EVENT_READ)
            while rest:
                ready = self._wait(selector)
                if self._stdout in ready and not self._keep_early():
                    selector.unregister(self._stdout)
                if self._stdin not in ready:
                    continue
                try:
                    rest = rest[self._stdin.write(rest) or 0 :]
                except BrokenPipeError:
                    return False
        return True

    def _keep_early(self) -> bool:
        """Take over what the process answers already; return False when it ends its output."""
        chunk = self._stdout.read(CHUNK_BYTES)
        self._early += chunk or b""
        if len(self._early) > MAX_EARLY_BYTES:
            raise Unavailable(
                f"git: answers more than {MAX_EARLY_BYTES} bytes before it has read the request"
            )
        return chunk != b""

    def _wait(self, selector: selectors.BaseSelector) -> set[object]:
        left_s = self._deadline - time.monotonic()
        ready = selector.select(left_s) if left_s > 0 else []
        if not ready:
            raise Unavailable(
                "git: took longer than it may (expected: a smaller request, or a quieter server)"
            )
        return {key.fileobj for key, _ in ready}
