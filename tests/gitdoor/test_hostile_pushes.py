"""What must not pass does not, is told why, leaves nothing behind, and the next good push lands."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.end_to_end.serving import Server
from tests.gitdoor.clones import Clone, Pushed, clone, repository_url
from tests.gitdoor.hostile.case import Case
from tests.gitdoor.hostile.kinds import CASES, KINDS
from tests.gitdoor.plumbing import Plumber
from tests.gitdoor.test_fetching import wait_for_no_process
from tests.store.gitrepo import assert_sound, git

pytestmark = pytest.mark.slow

MOST_MEGABYTES = 300
"""Of the server, whatever was pushed before in the same run; it starts with some 65."""


@pytest.fixture(scope="module")
def shared(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone of a main of some commits, and of a tag."""
    server.ask("PATCH", "/config?service=nginx", {"port": 81})
    server.ask("PATCH", "/config?service=nginx", {"port": 82})
    made = clone(repository_url(server), tmp_path_factory.mktemp("hostile") / "clone")
    assert made.push("HEAD:refs/tags/v1").ok
    return made


def push_case(shared: Clone, case: Case) -> Pushed:
    made = case.make(Plumber(shared))
    return shared.push(*case.options, *(f"{made}:{ref}" for ref in case.refs))


def stored(root: Path) -> set[str]:
    """Return every object that the repository has, reached or not."""
    return set(git(root, "cat-file", "--batch-all-objects", "--batch-check", "--unordered").splitlines())


def peak_megabytes(pid: int) -> float:
    """Return the most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1000


def quarantines(root: Path) -> list[str]:
    return [path.name for path in (root / ".git" / "objects").glob("*incoming*")]


def is_one_of_many(name: str) -> bool:
    """Return whether others show the same: of the names that are refused to main a quarter does."""
    names = [each for each in CASES if each.startswith("a file called") and "proposal" not in each]
    return "proposal" in name or (name in names and names.index(name) % 4 != 0)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.thorough] if is_one_of_many(name) else []) for name in CASES],
)
def test_a_hostile_push_is_refused_in_words_and_leaves_nothing(
    server: Server, served: Path, shared: Clone, name: str
) -> None:
    shared.reset()
    case = CASES[name]
    refs, objects = git(served, "show-ref"), stored(served)
    pushed = push_case(shared, case)
    assert not pushed.ok, pushed.text
    assert case.words in pushed.text, pushed.text
    assert pushed.remote or "error:" in pushed.text, pushed.text
    wait_for_no_process(served)  # git cleans up after it has answered
    assert git(served, "show-ref") == refs
    assert stored(served) == objects, pushed.text
    assert quarantines(served) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_push_lands_after_hostile_ones(shared: Clone, kind: str) -> None:
    for case in islice(KINDS[kind].values(), 2):
        shared.reset()
        assert not push_case(shared, case).ok
    shared.reset()
    shared.commit({"good/service.json": f'{{"after": "{kind}"}}\n'}, "Good")
    after = shared.push()
    assert after.ok, after.text


def test_the_repository_is_sound_after_all_of_it(server: Server, served: Path, shared: Clone) -> None:
    shared.reset()
    shared.commit({"last.json": "{}\n"})
    assert shared.push().ok
    assert_sound(served)
    assert server.ask("GET", "/readyz").status == 200
    assert peak_megabytes(server.process.pid) < MOST_MEGABYTES
