from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.settings import Settings
from configsvc.store.gitstore import GitStore
from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import git, put
from tests.store.treelab import V0, V1, Lab


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repo"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "repository")
    lab.land({"nginx.json": V0, "payments/api.yaml": "v: 0\n", "other.json": V0})
    lab.follow(lab.worktree(), {"nginx.json": V1})
    lab.assert_clean()
    return lab


@pytest.fixture
def tree(lab: Lab) -> WorkTree:
    return lab.worktree()


@pytest.fixture(params=[True, False], ids=["exchange", "stepwise"])
def any_tree(lab: Lab, request: pytest.FixtureRequest) -> WorkTree:
    """With and without the exchange of two files."""
    return lab.worktree(can_exchange=request.param)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GitStore]:
    with open_instance(Settings(repo=tmp_path / "repo")) as instance:
        put(instance.store, {"a.json": b"{}\n"})
        yield instance.store


@pytest.fixture
def clone(store: GitStore, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", f"file://{store.root}", "clone")
    return tmp_path / "clone"
