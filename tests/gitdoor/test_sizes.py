"""Large pushes and clones stream: what the server holds does not grow with them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.serving import Server
from tests.gitdoor.clones import Clone, clone, repository_url
from tests.gitdoor.test_raw_pushes import MIB, memory
from tests.store.gitrepo import git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.thorough]

MAX_GROWTH_BYTES = 64 * MIB


class Watch:
    """Looks at a server's memory until its block ends."""

    def __init__(self, server: Server) -> None:
        self.growth = 0
        self._server = server
        self._before = memory(server)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.01):
            self.growth = max(self.growth, memory(self._server) - self._before)


@pytest.fixture
def here(here: Clone) -> Clone:
    """A clone that spends no time on making noise smaller."""
    here.git("config", "core.compression", "0")
    here.git("config", "core.bigFileThreshold", "1m")
    return here


def add_noise(here: Clone, megabytes: int) -> None:
    """Commit files that do not shrink."""
    folder = here.root / "assets" / str(time.monotonic_ns())
    folder.mkdir(parents=True)
    for number in range(megabytes // 10):
        (folder / f"part-{number}.bin").write_bytes(os.urandom(10 * MIB))
    here.commit({}, f"{megabytes} MB")


def test_a_push_of_50_mb_and_a_clone_of_100_mb_take_no_memory(
    server: Server, served: Path, here: Clone, tmp_path: Path
) -> None:
    for _ in range(2):
        add_noise(here, 50)
        with Watch(server) as watch:
            pushed = here.push()
        assert pushed.ok, pushed.text
        assert watch.growth < MAX_GROWTH_BYTES
    with Watch(server) as watch:
        made = clone(repository_url(server), tmp_path / "large")
    assert watch.growth < MAX_GROWTH_BYTES
    assert made.head == git(served, "rev-parse", "main")


def test_a_push_that_is_larger_than_it_may_be_is_refused(server: Server, here: Clone) -> None:
    add_noise(here, 270)
    with Watch(server) as watch:
        pushed = here.push()
    assert not pushed.ok
    assert watch.growth < MAX_GROWTH_BYTES
