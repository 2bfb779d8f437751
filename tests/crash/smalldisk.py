"""A disk of its own, small enough to be filled."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_PAGE = b"\0" * 4096
_BALLAST = "ballast"


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """Yield a folder on a tmpfs of its own; the test is skipped where none can be mounted.

    Args:
        options: Of mount(8), such as `size=8m`.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("mount is not installed")
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_bytes(disk: Path) -> None:
    """Write until there is no byte left."""
    with (disk / _BALLAST).open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(_PAGE)


def fill_names(disk: Path) -> None:
    """Make files until there can be no more."""
    (disk / _BALLAST).mkdir()
    with contextlib.suppress(OSError):
        for number in itertools.count():
            os.close(os.open(disk / _BALLAST / str(number), os.O_CREAT | os.O_WRONLY))


def empty(disk: Path) -> None:
    """Give back what was filled."""
    ballast = disk / _BALLAST
    if ballast.is_file():
        ballast.unlink()
        return
    for entry in ballast.iterdir():
        entry.unlink()
    ballast.rmdir()


FILLS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "bytes": ("size=8m", fill_bytes),
    "names": ("size=64m,nr_inodes=2000", fill_names),
}
"""What runs out: how the disk is mounted, and what fills it."""
