"""A repository read without its lock, beside whoever holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from configsvc.core.changes import ANONYMOUS
from configsvc.core.errors import RepositoryUnusable, Unavailable
from configsvc.store.base import Write
from configsvc.store.committed import CommittedStore
from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import NO_HOOKS, commit_files, git, new_repository, put


def test_it_sees_what_the_holder_lands(tmp_path: Path) -> None:
    with GitStore.open(tmp_path / "repo") as held:
        store = CommittedStore(tmp_path / "repo")
        before = store.snapshot()
        for number in range(3):
            put(held, {"a.json": b'{"n": %d}\n' % number})
        after = store.snapshot()
        assert (before.revision, after.revision) == (1, held.snapshot().revision)
        assert before.find("a") is None
        assert [entry.version for entry in after.entries("a")] == [0, 1, 2]
        assert after.read("a.json") == b'{"n": 2}\n'
        assert store.status().revision == after.revision
        store.close()


def test_it_writes_nothing(tmp_path: Path) -> None:
    commit_files(new_repository(tmp_path / "repo"), {"a.json": "{}"})
    store = CommittedStore(tmp_path / "repo")
    with pytest.raises(Unavailable, match="reads alone"):
        store.submit(Write(lambda view: pytest.fail("planned"), author=ANONYMOUS))
    store.listen(lambda paths: None)()
    store.close()


def test_a_history_that_goes_back_is_told(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "repo")
    first = commit_files(root, {"a.json": "{}"})
    commit_files(root, {"a.json": '{"n": 1}'})
    store = CommittedStore(root)
    git(root, *NO_HOOKS, "update-ref", "refs/heads/main", first)
    with pytest.raises(RepositoryUnusable, match="main was moved"):
        store.snapshot()
    store.close()


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(RepositoryUnusable, match="configsvc init"):
        CommittedStore(tmp_path)
