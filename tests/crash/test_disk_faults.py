"""Every single system call of a write fails in turn: the old state or the new, and writes work again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from configsvc.core.errors import Unavailable
from configsvc.store.base import Write
from configsvc.store.disk import Disk
from configsvc.store.gitstore import GitStore
from tests.crash.dying import FOLLOWER, WRITER, Edits, write
from tests.crash.injecting import Fault, injecting, thread_id
from tests.crash.tracing import why_no_tracing
from tests.end_to_end.history import wait_until_clean
from tests.store.gitrepo import WAIT_S, assert_sound, git, put
from tests.store.sparing import spare_files

MOST_CALLS = 200
WRITER_FAULTS = [
    ("openat", "ENOSPC"),
    ("openat", "EMFILE"),
    ("write", "ENOSPC"),
    ("fsync", "EIO"),
    ("rename", "EIO"),
    ("link", "EIO"),
    ("link", "ENOSPC"),
    ("unlink", "EIO"),
    ("mkdir", "EROFS"),
    ("read", "EIO"),
    ("close", "EIO"),
]
FOLLOWER_FAULTS = [
    ("openat", "ENOSPC"),
    ("write", "ENOSPC"),
    ("rename", "EIO"),
    ("renameat", "EIO"),
    ("renameat2", "ENOSPC"),
    ("link", "EIO"),
    ("mkdirat", "ENOSPC"),
    ("unlink", "EIO"),
    ("unlinkat", "EIO"),
    ("read", "EIO"),
    ("fcntl", "EIO"),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.crash,
    pytest.mark.skipif(bool(why_no_tracing()), reason=why_no_tracing() or "faults can be injected"),
]


class Sufferer:
    """A store that is written to while calls of one of its threads fail."""

    def __init__(self, store: GitStore) -> None:
        self.store = store
        self._tries = 0

    def suffer(self, thread: str, fault: Fault) -> None:
        """Write under a fault and after it, and hold the store to its promises."""
        self._tries += 1
        number = b"%d\n" % self._tries
        edits: Edits = {
            "nginx.json": number,
            f"new/folder-{self._tries}/one.json": number,
            "old/one.json": None,
        }
        put(self.store, {"old/one.json": number})
        assert self.store.flush()
        revision = self.store.snapshot().revision
        request = write(edits, f"try-{self._tries}")
        with injecting(thread_id(thread), fault):
            landed = self._try(request, revision)
            if thread == FOLLOWER:
                self.store.flush(0.3)
        # What failed may be asked again; what did not is not done again.
        assert self.store.submit(request).result(WAIT_S).revision == revision + 1
        assert put(self.store, {"after.json": number}).revision == revision + 2
        assert landed in (None, revision + 1)
        self._audit(edits)

    def _try(self, request: Write, revision: int) -> int | None:
        landed: int | None
        try:
            landed = self.store.submit(request).result(WAIT_S).revision
        except Unavailable:
            landed = None
        snapshot = self.store.snapshot()
        assert snapshot.revision in ((revision, revision + 1) if landed is None else (landed,))
        assert (snapshot.read("old/one.json") is None) == (snapshot.revision > revision)
        return landed

    def _audit(self, edits: Edits) -> None:
        assert {path: self.store.snapshot().read(path) for path in edits} == edits
        assert self.store.status().problems == {}
        assert self.store.flush(WAIT_S)
        wait_until_clean(self.store.root)
        assert {path: _content(self.store.root / path) for path in edits} == edits
        assert_sound(self.store.root)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.fixture(params=["spare files", pytest.param("new files", marks=pytest.mark.thorough)])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[GitStore]:
    has_spares = request.param == "spare files"
    with (
        spare_files(tmp_path / "spare") if has_spares else nullcontext() as spares,
        GitStore.open(tmp_path / "repo", disk=Disk(spares=spares)) as opened,
    ):
        put(opened, {"nginx.json": b"0"})
        yield opened
    with GitStore.open(tmp_path / "repo"):
        pass
    assert git(tmp_path / "repo", "status", "--porcelain") == ""


def suffer_each(store: GitStore, thread: str, call: str, error: str, *, lasting: bool) -> int:
    """Let the 1st, 2nd, 3rd ... call fail until there is none left to fail; return how many there were."""
    sufferer = Sufferer(store)
    for nth in range(1, MOST_CALLS):
        fault = Fault(call, error, nth, lasting)
        sufferer.suffer(thread, fault)
        if not fault.injected:
            return nth - 1
    raise AssertionError(f"{call}: more than {MOST_CALLS} calls")


LASTING = [
    pytest.param(False, id="once", marks=pytest.mark.thorough),
    pytest.param(True, id="from then on"),
]


@pytest.mark.parametrize("lasting", LASTING)
@pytest.mark.parametrize(("call", "error"), WRITER_FAULTS)
def test_reads_survive_a_failing_call_of_the_writer(
    store: GitStore, call: str, error: str, lasting: bool
) -> None:
    assert suffer_each(store, WRITER, call, error, lasting=lasting) > 0


@pytest.mark.thorough
@pytest.mark.parametrize("lasting", LASTING)
@pytest.mark.parametrize(("call", "error"), FOLLOWER_FAULTS)
def test_reads_survive_a_failing_call_below_the_working_tree(
    store: GitStore, call: str, error: str, lasting: bool
) -> None:
    assert suffer_each(store, FOLLOWER, call, error, lasting=lasting) > 0
