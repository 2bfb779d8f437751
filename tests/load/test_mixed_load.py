"""Under steady load of every kind nothing grows: memory, file descriptors, threads, lock files.

`SOAK_SECONDS` is how long (an hour by default), `SOAK_WRITES_BEFORE` how many writes come first, and
`SOAK_PLOT` is where the picture goes.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.clones import Clone, clone
from tests.load.mixed import Mix, end_mix, start_mix
from tests.load.plot import curves
from tests.load.watching import memory_bytes, open_files, thread_count
from tests.metrics.scrape import samples_of, value_of
from tests.store.gitrepo import assert_sound

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
SAMPLES = 120
PUSH_EVERY_S = 10.0
MIB = 1 << 20
BYTES_A_COMMIT = 1200
"""What a commit may add to memory: its place in the version index, and in the table of request ids."""
SPARE_MIB = 12.0
WRITES_BEFORE = int(os.environ.get("SOAK_WRITES_BEFORE", "36000"))
"""So many fill the cache of git objects and the table of request ids, which grow no more then."""


@dataclass
class Course:
    """What the server's process took, over time."""

    seconds: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    locks: list[float] = field(default_factory=list)
    revisions: list[float] = field(default_factory=list)

    def look(self, server: Server, repo: Path, second: float) -> None:
        """Take a sample."""
        pid = server.process.pid
        self.seconds.append(second)
        self.memory_mib.append(memory_bytes(pid) / MIB)
        self.files.append(open_files(pid))
        self.threads.append(thread_count(pid))
        self.locks.append(len(leftovers(repo)))
        self.revisions.append(revision_of(server))

    def plot(self, title: str) -> str:
        """Return the picture of all samples."""
        series = {
            "resident memory, MiB": self.memory_mib,
            "file descriptors": self.files,
            "threads": self.threads,
            "lock files and temporary files": self.locks,
            "revision": self.revisions,
        }
        return curves(title, self.seconds, series)


def revision_of(server: Server) -> float:
    """Return the newest revision."""
    return value_of(samples_of(server.ask("GET", "/metrics").text), "configsvc_revision")


def leftovers(repo: Path) -> list[Path]:
    """Return the files of git and of the server that are there only while something is done."""
    git_dir = repo / ".git"
    return [*git_dir.rglob("*.lock"), *(git_dir / "objects").rglob("tmp_*"), *git_dir.rglob("*.tmp")]


def push_one(clone_: Clone, number: int) -> None:
    """Push a change of a service that nobody else writes."""
    clone_.git("pull", "-q", "--ff-only")
    clone_.commit({"pushed/one.json": f'{{"n": {number}}}\n'})
    pushed = clone_.push()
    assert pushed.ok, pushed.text


def mean_of(series: Sequence[float], start: float, end: float) -> float:
    """Return the mean of a part of the samples, from one share of the time to another."""
    return statistics.fmean(series[int(len(series) * start) : max(int(len(series) * end), 1)])


@pytest.mark.soak
def test_nothing_grows_under_mixed_load(tmp_path: Path) -> None:
    repo, course, pushes = tmp_path / "repo", Course(), 0
    with serving(repo, *QUIET) as server:
        mix = Mix(int(server.url.rpartition(":")[2]), SECONDS, writes_before=WRITES_BEFORE)
        process = start_mix(mix)
        while revision_of(server) < WRITES_BEFORE:
            assert process.poll() is None
            time.sleep(1.0)
        ours = clone(f"{server.url}/config-repo.git", tmp_path / "clone")
        started_s = time.monotonic()
        while (passed_s := time.monotonic() - started_s) < SECONDS:
            course.look(server, repo, passed_s)
            if passed_s >= pushes * PUSH_EVERY_S:
                push_one(ours, pushes)
                pushes += 1
            time.sleep(SECONDS / SAMPLES)
        came = end_mix(process, 120)
        time.sleep(3)  # connections linger, and the working tree catches up
        course.look(server, repo, time.monotonic() - started_s)
        server.process.terminate()  # how it ends is looked at below, once all figures are told
    counts = ", ".join(f"{count} x {kind}" for kind, count in came.counts.items())
    title = f"{SECONDS / 60:.0f} min: {counts}, {pushes} x push"
    plot = Path(os.environ.get("SOAK_PLOT", str(tmp_path / "soak.svg")))
    plot.write_text(course.plot(f"configsvc, {title}"), encoding="utf-8")
    print(f"\n{title}; picture in {plot}")
    for name in ("memory_mib", "files", "threads", "locks"):
        series = getattr(course, name)
        middle, end = mean_of(series, 0.3, 0.5), mean_of(series, 0.8, 1.0)
        print(
            f"{name}: {series[0]:.0f} at first, {middle:.1f} in the middle, {end:.1f} in the last fifth, "
            f"{series[-1]:.0f} afterwards"
        )

    assert server.process.returncode == 0
    assert came.trouble == []
    assert all(came.counts[kind] > 0 for kind in ("read", "write", "watch", "wait", "event"))
    commits = course.revisions[-1] - course.revisions[int(SAMPLES * 0.3)]
    grown_mib = mean_of(course.memory_mib, 0.8, 1.0) - mean_of(course.memory_mib, 0.3, 0.5)
    assert grown_mib < SPARE_MIB + commits * BYTES_A_COMMIT / MIB
    assert mean_of(course.files, 0.8, 1.0) <= mean_of(course.files, 0.3, 0.5) + 10
    assert mean_of(course.threads, 0.8, 1.0) <= mean_of(course.threads, 0.3, 0.5) + 10
    assert course.files[-1] < mean_of(course.files, 0.3, 0.5)  # the clients' connections are gone
    wait_until_clean(repo)
    assert leftovers(repo) == []
    assert_sound(repo)
