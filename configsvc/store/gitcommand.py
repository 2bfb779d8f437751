"""Running git's own commands, shut off from the user's and the machine's settings."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from configsvc.core.errors import RepositoryUnusable

MIN_GIT = (2, 39)
ADVISED_GIT = (2, 50, 1)

_CHUNK_BYTES = 1 << 20

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
    command = ["git", "-C", str(root), *arguments]
    with (
        tempfile.TemporaryFile() as stderr,  # a pipe that nobody reads meanwhile would fill and block git
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment()) as process,
    ):
        if process.stdout is None:
            raise GitFailed(f"git {arguments[0]}: no pipe")
        rest = b""
        while chunk := process.stdout.read(_CHUNK_BYTES):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
        if rest:
            yield rest
        if process.wait() != 0:
            stderr.seek(0)
            raise GitFailed(f"git {arguments[0]}: {_last_words(stderr.read())} (exit {process.returncode})")


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
