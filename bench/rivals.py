"""How else one commits a file to git: GitPython's porcelain, and the command line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from git import Repo

from bench.corpus import document, document_path
from bench.repositories import git
from bench.samples import Round, run_clients

_LEAST_COMMITS = 2


class GitPythonRival:
    """`repo.index.add` and `repo.index.commit`.  It syncs nothing: a power cut may lose what it did."""

    name = "GitPython index.add + index.commit, not durable"

    def __init__(self, root: Path, services: int) -> None:
        self._root = root
        self._services = services
        self._repo = Repo(root)

    def run(self, seconds: float, seed: int) -> Round:
        """Commit one service after the other for a while."""
        return run_clients(1, seconds, self._writer(seed), at_least=_LEAST_COMMITS)

    def close(self) -> None:
        """End its processes."""
        self._repo.close()

    def _writer(self, seed: int) -> Callable[[int, int], None]:
        chance = random.Random(seed)

        def write(_client: int, _turn: int) -> None:
            path = _edit(self._root, self._services, chance)
            self._repo.index.add([path])
            self._repo.index.commit("Update")

        return write


class GitCommandRival:
    """`git add` and `git commit`, told to sync all they write."""

    name = "git add && git commit, durable"

    def __init__(self, root: Path, services: int) -> None:
        self._root = root
        self._services = services
        git(root, "config", "core.fsync", "all")

    def run(self, seconds: float, seed: int) -> Round:
        """Commit one service after the other for a while."""
        return run_clients(1, seconds, self._writer(seed), at_least=_LEAST_COMMITS)

    def close(self) -> None:
        """It keeps nothing open."""

    def _writer(self, seed: int) -> Callable[[int, int], None]:
        chance = random.Random(seed)

        def write(_client: int, _turn: int) -> None:
            path = _edit(self._root, self._services, chance)
            git(self._root, "add", "--", path)
            git(self._root, "commit", "--quiet", "-m", "Update")

        return write


def _edit(root: Path, services: int, chance: random.Random) -> str:
    number = chance.randrange(services)
    path = document_path(number)
    (root / path).write_bytes(document(number, chance.getrandbits(60)))
    return path
