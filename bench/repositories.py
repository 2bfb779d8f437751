"""Repositories to measure on, made once a run by `git fast-import` and copied for each use."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.corpus import document, document_path
from configsvc.core.names import ATTRIBUTES, ATTRIBUTES_FILE

PACKS_AT_REST = 200
"""Below so many packs nothing is repacked in the background."""

_FIRST_TIME_S = 1_700_000_000
_SERVICES_A_COMMIT = 100
_ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
_AUTHOR = b"Bench <bench@configsvc.invalid>"


def git(root: Path, *arguments: str) -> bytes:
    """Run git in `root`, shut off from the machine's settings, and return what it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, env=inherited | _ENVIRONMENT, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def commit_count(root: Path) -> int:
    """Return how many first-parent commits `main` has."""
    return int(git(root, "rev-list", "--count", "--first-parent", "main"))


def pack_count(root: Path) -> int:
    """Return how many packs the repository has."""
    return sum(1 for name in os.listdir(root / ".git/objects/pack") if name.endswith(".pack"))


def settle(root: Path, timeout_s: float = 60.0) -> None:
    """Wait until no repack is due, so that it does not run into somebody else's turn."""
    give_up_at = time.monotonic() + timeout_s
    while pack_count(root) >= PACKS_AT_REST and time.monotonic() < give_up_at:
        time.sleep(0.2)


class Repositories:
    """Working trees below one folder.  The history of each is packed, its tree and index are clean."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say
        self._copies = 0

    def services(self, count: int) -> Path:
        """Return a fresh repository of `count` services with a short history."""
        return self._copy(f"{count}-services", lambda: _creation(count))

    def history(self, services: int, commits: int) -> Path:
        """Return a fresh repository whose services have unequally long histories, `commits` in all."""
        return self._copy(f"{services}-services-{commits}-commits", lambda: _edits(services, commits))

    def _copy(self, name: str, stream: Callable[[], Iterator[bytes]]) -> Path:
        original = self.folder / name
        if not original.exists():
            self._say(f"making a repository: {name}")
            _import(original, stream())
        self._copies += 1
        copy = self.folder / f"{name}-{self._copies}"
        subprocess.run(["cp", "-a", str(original), str(copy)], check=True)
        git(copy, "update-index", "-q", "--refresh")
        os.sync()
        return copy


def _import(root: Path, stream: Iterator[bytes]) -> None:
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main", ".")
    git(root, "config", "gc.auto", "0")
    git(root, "config", "user.name", "Bench")
    git(root, "config", "user.email", "bench@configsvc.invalid")
    with subprocess.Popen(
        ["git", "-C", str(root), "fast-import", "--quiet", "--depth=10"], stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for piece in stream:
            process.stdin.write(piece)
    if process.returncode != 0:
        raise RuntimeError(f"git fast-import: exit {process.returncode}")
    git(root, "reset", "--quiet", "--hard")


def _creation(services: int) -> Iterator[bytes]:
    """Yield commits that create the services, a hundred in each."""
    for revision, first in enumerate(range(0, services, _SERVICES_A_COMMIT)):
        yield _commit(revision)
        if revision == 0:
            yield _file(ATTRIBUTES_FILE, ATTRIBUTES)
        for number in range(first, min(first + _SERVICES_A_COMMIT, services)):
            yield _file(document_path(number), document(number, 0))


def _edits(services: int, commits: int) -> Iterator[bytes]:
    """Yield `commits` commits: all services are created, then one is edited in each, a few very often."""
    yield from _creation(services)
    chance = random.Random(services)
    for revision in range(-(-services // _SERVICES_A_COMMIT), commits):
        number = int(services * chance.random() ** 3)
        yield _commit(revision) + _file(document_path(number), document(number, revision))


def _commit(revision: int) -> bytes:
    message = b"Update %d\n" % revision
    head = b"commit refs/heads/main\ncommitter %s %d +0000\n" % (_AUTHOR, _FIRST_TIME_S + revision)
    return head + _data(message)


def _file(path: str, content: bytes) -> bytes:
    return b"M 100644 inline %s\n" % path.encode() + _data(content)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)
