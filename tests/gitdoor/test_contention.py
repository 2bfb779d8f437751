"""Pushes land beside a steady stream of API writes, and neither loses anything by the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.client import connected
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.ledger import Ledger, audit, audit_served
from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.load import PacedWriter, PushingPerson, busy, troubles
from tests.store.gitrepo import git

WRITES_PER_S = 50.0
SECONDS = 10.0
MAX_RATIO = 3.0
WRITES = 100
PUSHES = 3
MET_WITHIN_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def sleep(writer: PacedWriter, people: list[PushingPerson]) -> None:
    """Let them work for a while."""
    time.sleep(SECONDS)


def wait_until_they_met(writer: PacedWriter, people: list[PushingPerson]) -> None:
    """Return when some pushes landed among many writes, or something went wrong."""
    give_up_at = time.monotonic() + MET_WITHIN_S
    while len(writer.seconds) < WRITES or any(len(person.landed) < PUSHES for person in people):
        if troubles([writer, *people]):
            return
        assert time.monotonic() < give_up_at, (len(writer.seconds), [len(each.landed) for each in people])
        time.sleep(0.02)


def contend(
    server: Server, root: Path, folder: Path, wait: Callable[[PacedWriter, list[PushingPerson]], None]
) -> tuple[PacedWriter, list[PushingPerson]]:
    """Let a program write and two people push meanwhile; hold the repository to what they were told."""
    ledger = Ledger()
    writer = PacedWriter(ledger, WRITES_PER_S)
    writer.create(server.url)
    people = [PushingPerson(name, server.url, folder) for name in ("ann", "bob")]
    with busy(server.url, writer, *people):
        wait(writer, people)
    assert troubles([writer, *people]) == []
    assert all(person.landed for person in people)
    history = audit(root, ledger)
    with connected(server.url) as client:
        audit_served(client, root, history)
    subjects = git(root, "log", "--format=%s", "main").splitlines()
    told = [subject for person in people for subject in person.landed]
    assert all(subjects.count(subject) == 1 for subject in told)
    for person in people:
        assert len(history.versions[f"people/{person.clone.root.name}"]) == len(person.landed)
    wait_until_clean(root)
    return writer, people


def test_two_pushers_and_50_writes_a_second_lose_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", *QUIET) as server:
        contend(server, tmp_path / "repo", tmp_path, wait_until_they_met)


@pytest.mark.soak
def test_pushes_do_not_hold_up_api_writes(tmp_path: Path) -> None:
    ratios = []
    for run in range(5):
        folder = tmp_path / str(run)
        folder.mkdir()
        with serving(folder / "repo", *QUIET) as server:
            alone = PacedWriter(Ledger(), WRITES_PER_S)
            alone.create(server.url)
            with busy(server.url, alone):
                time.sleep(SECONDS)
        with serving(folder / "other", *QUIET) as server:
            writer, people = contend(server, folder / "other", folder, sleep)
        ratios.append(writer.p99() / alone.p99())
        print(
            f"run {run}: API p99 alone {alone.p99() * 1000:.1f} ms, beside "
            f"{sum(len(person.landed) for person in people)} pushes {writer.p99() * 1000:.1f} ms"
        )
    assert statistics.median(ratios) < MAX_RATIO, ratios
