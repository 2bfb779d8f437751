from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.clones import Clone, clone, repository_url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one service, `nginx`; the tests of a module share it."""
    with serving(tmp_path_factory.mktemp("served") / "repo", *QUIET) as running:
        assert running.ask("POST", "/config?service=nginx", {"port": 80}).status == 201
        yield running


@pytest.fixture
def served(server: Server) -> Path:
    """The repository that is served."""
    return served_root(server)


@pytest.fixture
def here(server: Server, tmp_path: Path) -> Clone:
    """A fresh clone."""
    return clone(repository_url(server), tmp_path / "clone")


def served_root(server: Server) -> Path:
    """Return the repository that a server serves."""
    return Path(server.ready.partition(" serving ")[2].rpartition(" at http")[0])
