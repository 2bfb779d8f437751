from __future__ import annotations

from pathlib import Path

import pytest

from configsvc.core.changes import Author, Plan
from configsvc.core.errors import RepositoryUnusable
from configsvc.store.base import Write
from configsvc.store.gitstore import GitStore
from configsvc.store.trail import read_trail
from tests.store.gitrepo import WAIT_S, git

ANN, BOB = Author("ann", "ann@example.com"), Author("bob", "bob@example.com")


pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    with GitStore.open(root) as store:
        for author, path, message in (
            (ANN, "a.json", "One\n"),
            (BOB, "team/b.yaml", "Two\n\nWith a body\n"),
            (ANN, ".configsvc/services/team/b.yaml", "Three\n"),
            (BOB, "team/b/c.json", "Four\n"),
        ):
            plan = Plan({path: b"{}\n"}, message)
            store.submit(Write(lambda view, plan=plan: plan, author)).result(WAIT_S)  # type: ignore[misc]
    return root


def subjects(root: Path, **filters: object) -> list[str]:
    return [each.message.partition("\n")[0] for each in read_trail(root, **filters)]  # type: ignore[arg-type]


def test_the_newest_comes_first_with_revision_author_and_message(root: Path) -> None:
    entries = read_trail(root)
    assert [each.revision for each in entries] == [5, 4, 3, 2, 1]
    assert entries[0].commit_id == git(root, "rev-parse", "main")
    assert entries[2].author.name == "bob"
    assert entries[2].committer.name == "configsvc"
    assert entries[2].message.startswith("Two\n\nWith a body")


@pytest.mark.parametrize("name", ["ann", "ann@example.com"])
def test_one_principal_can_be_asked_for(root: Path, name: str) -> None:
    assert subjects(root, principal=name) == ["Three", "One"]
    assert subjects(root, principal="an") == []


def test_a_service_is_its_document_and_what_is_known_of_it(root: Path) -> None:
    assert subjects(root, service="team/b") == ["Three", "Two"]
    assert subjects(root, service="a") == ["One"]
    assert subjects(root, service="missing") == []


def test_a_name_that_another_git_wrote_is_not_vouched_for(root: Path) -> None:
    assert all(each.is_vouched for each in read_trail(root, service="a"))
    clone = root.parent / "clone"
    git(root.parent, "clone", "-q", str(root), str(clone))
    (clone / "a.json").write_text("[]\n")
    git(clone, "-c", "user.name=ann", "commit", "-q", "-a", "-m", "Mine")
    assert [each.is_vouched for each in read_trail(clone, service="a")] == [False, True]


def test_at_most_as_many_as_asked_and_revisions_stay_right(root: Path) -> None:
    assert [each.revision for each in read_trail(root, limit=2)] == [5, 4]
    assert [each.revision for each in read_trail(root, principal="ann", limit=1)] == [4]


def test_only_what_came_since(root: Path) -> None:
    newest = read_trail(root, limit=1)[0].committed_at
    assert subjects(root, since_s=newest + 1000) == []
    assert len(read_trail(root, since_s=newest - 1000)) == 5


def test_a_folder_without_history_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(RepositoryUnusable, match="expected: a history on main"):
        read_trail(tmp_path)
