"""Running git's own commands, shut off from the user's and the machine's settings."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import IO

from configsvc.core.errors import RepositoryUnusable

MIN_GIT = (2, 39)
ADVISED_GIT = (2, 50, 1)

_CHUNK_BYTES = 64 << 10
_PIPE_BYTES = 1 << 20

SETTINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
"""Environment of every git command of ours."""


class GitFailed(Exception):
    """A git command ended with an error; the message is its last words."""


def environment() -> dict[str, str]:
    """Return our environment without anything that points git elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return inherited | SETTINGS


def bare_environment() -> dict[str, str]:
    """Return the least environment that a git command of a client may have: none of our own is passed on."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return inherited | SETTINGS


def git(
    root: Path,
    *arguments: str,
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> bytes:
    """Return what a git command prints.

    Args:
        environ: Its environment; None for ours.
        timeout_s: Seconds it may take.

    Raises:
        GitFailed: It ended with an error, or took too long.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            input=stdin,
            capture_output=True,
            env=environment() if environ is None else environ,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GitFailed(f"git {arguments[0]}: took longer than {error.timeout:.0f} s") from error
    if done.returncode != 0:
        raise GitFailed(f"git {arguments[0]}: {_last_words(done.stderr)} (exit {done.returncode})")
    return done.stdout


def stream_records(root: Path, arguments: Sequence[str]) -> Iterator[bytes]:
    """Yield what a git command prints, split at NUL, as it comes.

    Raises:
        GitFailed: It ended with an error.
    """
    with closing(RunningGit(root, arguments)) as running:
        yield from running.records()


class RunningGit:
    """A git command that has begun, and works ahead of who reads as far as a pipe holds.

    Close it: what has not ended is told to, and waited for.
    """

    def __init__(self, root: Path, arguments: Sequence[str]) -> None:
        self._name = arguments[0]
        command = ["git", "-C", str(root), *arguments]
        with ExitStack() as held:
            # A pipe that nobody reads meanwhile would fill and block git.
            self._stderr = held.enter_context(tempfile.TemporaryFile())
            self._process = held.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr,
                    env=environment(),
                )
            )
            self._held = held.pop_all()
        _widen(self._process.stdout)

    def records(self) -> Iterator[bytes]:
        """Yield what it prints, split at NUL; once.

        Raises:
            GitFailed: It ended with an error.
        """
        if self._process.stdout is None:
            raise GitFailed(f"git {self._name}: no pipe")
        rest = b""
        while chunk := self._process.stdout.read(_CHUNK_BYTES):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
        if rest:
            yield rest
        if self._process.wait() != 0:
            self._stderr.seek(0)
            said = _last_words(self._stderr.read())
            raise GitFailed(f"git {self._name}: {said} (exit {self._process.returncode})")

    def close(self) -> None:
        """Let go of the command.  Closing twice is harmless."""
        self._held.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold more than its 64 KiB, so that git need not wait while somebody thinks."""
    if pipe is not None and sys.platform == "linux":
        with suppress(OSError):  # a limit of the machine's; then git waits
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def git_version() -> tuple[int, ...]:
    """Return the version of the git binary, such as (2, 50, 1).

    Raises:
        RepositoryUnusable: There is no git, or it does not say its version.
    """
    try:
        said = subprocess.run(
            ["git", "version"], capture_output=True, check=True, env=environment()
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError) as error:
        raise RepositoryUnusable(
            f"git: not to be run: {error} (expected: git >= 2.39 on the PATH)"
        ) from error
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    if match is None:
        raise RepositoryUnusable(f"git version: {said.strip()!r} (expected: a version number)")
    return tuple(int(part) for part in match.groups() if part is not None)


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"
