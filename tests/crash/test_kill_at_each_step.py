"""The process is killed before every single step of a batch and of what follows it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.core.changes import Outcome
from configsvc.store.gitstore import GitStore
from tests.crash.dying import COMPARING, FOLLOWER, OPENING, WRITER, Edits, Life, live, write
from tests.store.gitrepo import WAIT_S, assert_sound, git, put

pytestmark = [pytest.mark.slow, pytest.mark.crash]

EDITED = b"an edit that nobody committed\n"
MOST_STEPS = 500

BEFORE_RENAMING_MAIN = 16
BEFORE_REMOVING_THE_REPLACED = 3

Before = tuple[str, int]


class Victim:
    """A repository in which somebody works, and whose server dies again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._deaths = 0
        with GitStore.open(root) as store:
            put(store, {"edited.json": b"1", "staged.json": b"1", "nginx.json": b"0"})
            self._prepare(store)
        (root / "edited.json").write_bytes(EDITED)
        (root / "staged.json").write_bytes(EDITED)
        git(root, "add", "staged.json")
        self._standing = git(root, "status", "--porcelain")

    def die(self, thread: str, nth: int, *, after: Before | None = None, has_spares: bool = False) -> Life:
        """Land a batch in a process that is killed, then hold what it left to what was promised.

        Args:
            after: Thread and step of a death of which the process finds the traces at its start.
        """
        if after is not None:
            earlier = live(self.root, [{"nginx.json": b"earlier"}], [f"earlier-{self._deaths}"], *after)
            assert earlier.killed_before is not None
        revision = int(git(self.root, "rev-list", "--count", "--first-parent", "main"))
        asked = self._asked()
        ids = [f"death-{self._deaths}-{number}" for number in range(len(asked))]
        life = live(self.root, asked, ids, thread, nth, has_spares=has_spares)
        self._audit(asked, ids, life, revision)
        return life

    def _prepare(self, store: GitStore) -> None:
        """Land what the next batch removes."""
        self._deaths += 1
        put(store, {"old/one.json": b"%d" % self._deaths, "switch.yaml": b"a: %d\n" % self._deaths})
        assert store.flush()

    def _asked(self) -> list[Edits]:
        number = b"%d\n" % self._deaths
        return [
            {"nginx.json": number},
            {f"new/folder-{self._deaths}/fresh.json": number},
            {"old/one.json": None, ".configsvc/services/nginx.yaml": b"# " + number},
            {"switch.yaml": None, "switch.json": number},
        ]

    def _audit(self, asked: list[Edits], ids: list[str], life: Life, revision: int) -> None:
        with GitStore.open(self.root) as store:
            before = store.snapshot()
            assert before.revision in (revision, revision + len(asked)), "half a batch landed"
            landed = before.revision > revision
            assert landed or not life.acknowledged, "acknowledged and lost"
            expected = {path: content for edits in asked for path, content in edits.items()}
            if landed:
                assert {path: before.read(path) for path in expected} == expected
            outcomes = [store.submit(write(*each)).result(WAIT_S) for each in zip(asked, ids, strict=True)]
            self._audit_repeated(store, outcomes, revision)
            assert {path: store.snapshot().read(path) for path in expected} == expected
            assert store.flush()
            assert set(store.status().local_edits) == {"edited.json", "staged.json"}
            assert not store.status().problems
            self._audit_files(expected)
            self._prepare(store)
        # A file torn while it was written cannot be told from a person's: it is kept, not removed.
        left = [
            path for path in leftovers(self.root) if life.killed_before != "write" or "/kept/" not in path
        ]
        assert left == []
        shutil.rmtree(self.root / ".git/configsvc/kept", ignore_errors=True)

    def _audit_repeated(self, store: GitStore, outcomes: list[Outcome], revision: int) -> None:
        assert [each.revision for each in outcomes] == list(range(revision + 1, revision + 1 + len(outcomes)))
        assert store.snapshot().revision == revision + len(outcomes), "a repeated write happened again"

    def _audit_files(self, expected: Edits) -> None:
        assert git(self.root, "--no-optional-locks", "status", "--porcelain") == self._standing
        for path, content in expected.items():
            file = self.root / path
            assert (file.read_bytes() if file.exists() else None) == content, path
        assert (self.root / "edited.json").read_bytes() == EDITED
        assert git(self.root, "show", ":staged.json").encode() + b"\n" == EDITED
        assert_sound(self.root)


def leftovers(root: Path) -> Iterator[str]:
    """Yield what a process should have taken with it, or the next one removed."""
    for path in (root / ".git").rglob("*"):
        if path.name.endswith((".lock", ".keep", ".tmp")) or path.name.startswith(("tmp_", ".tmp-")):
            yield str(path)
    yield from map(str, (root / ".git/configsvc/spare").glob("**/*"))
    yield from map(str, (root / ".git/configsvc/tmp").glob("*"))
    yield from map(str, (root / ".git/configsvc/kept").glob("*"))


def die_at_each_step(
    root: Path, thread: str, *, after: Before | None = None, has_spares: bool = False
) -> list[str]:
    """Kill before step 0, 1, 2 ... until there are no more; return the names of the steps."""
    victim = Victim(root)
    for nth in range(MOST_STEPS):
        life = victim.die(thread, nth, after=after, has_spares=has_spares)
        if life.killed_before is None:
            return list(life.passed)
    raise AssertionError(f"{thread}: more than {MOST_STEPS} steps")


@pytest.mark.parametrize(
    ("has_spares", "links"),
    [
        pytest.param(True, 4, id="spare files"),  # the pack, its index, the lock; and what keeps the pack
        pytest.param(False, 1, id="new files", marks=pytest.mark.thorough),
    ],
)
def test_atomic_a_batch_killed_before_any_step_is_there_wholly_or_not_at_all(
    tmp_path: Path, has_spares: bool, links: int
) -> None:
    steps = die_at_each_step(tmp_path / "repo", WRITER, has_spares=has_spares)
    assert sum(step.startswith("os.link ") for step in steps) == links, steps
    named = [step for step in steps if step.startswith("after ")]
    assert named == [
        f"after {name}" for name in ("taken", "built", "packed", "landed", "published", "answered")
    ]
    assert steps.count("fsync") == 5  # pack, index, their folder; main, its folder


def test_reads_survive_a_working_tree_killed_before_any_step_is_made_whole(tmp_path: Path) -> None:
    steps = die_at_each_step(tmp_path / "repo", FOLLOWER)
    assert any(step.startswith("os.rename index") for step in steps), steps
    assert steps.count("renameat2") >= 3, steps


@pytest.mark.parametrize(
    ("thread", "after", "trace"),
    [
        pytest.param(OPENING, (WRITER, BEFORE_RENAMING_MAIN), "os.remove main.lock", id="batch"),
        pytest.param(
            OPENING,
            (FOLLOWER, BEFORE_REMOVING_THE_REPLACED),
            "os.remove ",
            id="replaced file",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            COMPARING,
            (FOLLOWER, BEFORE_REMOVING_THE_REPLACED),
            "os.rename index",
            id="working tree",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_atomic_a_start_killed_before_any_step_can_be_repeated(
    tmp_path: Path, thread: str, after: Before, trace: str
) -> None:
    steps = die_at_each_step(tmp_path / "repo", thread, after=after)
    assert any(step.startswith(trace) for step in steps), steps


@pytest.mark.thorough
def test_atomic_a_repository_whose_making_was_killed_before_any_step_is_made_by_the_next_start(
    tmp_path: Path,
) -> None:
    for nth in range(MOST_STEPS):
        root = tmp_path / f"repo-{nth}"
        root.mkdir()
        (root / "README.md").write_text("Ours\n")
        life = live(root, [{"nginx.json": b"1"}], ["first"], OPENING, nth)
        with GitStore.open(root) as store:
            assert store.submit(write({"nginx.json": b"1"}, "first")).result(WAIT_S).revision == 2, life
            assert store.flush()
        assert git(root, "status", "--porcelain") == ""
        assert (root / "README.md").read_text() == "Ours\n"
        assert_sound(root)
        if life.killed_before is None:
            return
