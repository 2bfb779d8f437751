"""The server is killed at a random moment under load, again and again, on one repository."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.end_to_end.client import connected
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.ledger import Ledger, audit, audit_served
from tests.end_to_end.load import Writer, create_shared, unanswered, writing
from tests.end_to_end.serving import QUIET, serving
from tests.store.gitrepo import commit_files, new_repository

SERVICES = 1000
WRITERS = 6
READY_BOUND_S = 10.0

pytestmark = [pytest.mark.slow, pytest.mark.crash]


class Campaign:
    """Kill rounds on one repository, and what they came to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = Ledger()
        self.writers = [Writer(str(number), self.ledger) for number in range(WRITERS)]
        self.ready_s: list[float] = []
        self.repeated = 0

    def begin(self) -> None:
        """Make the repository."""
        new_repository(self.root)
        commit_files(self.root, {f"group-{n % 20}/s{n}.json": '{"n": 1}\n' for n in range(SERVICES)})
        with serving(self.root, *QUIET) as server, connected(server.url) as client:
            create_shared(client, self.ledger)

    def round(self) -> None:
        """Start the server, kill it under load, and hold what it left to what it acknowledged."""
        started = time.monotonic()
        with serving(self.root, *QUIET) as server:
            self.ready_s.append(time.monotonic() - started)
            self.repeated += len(unanswered(self.writers))
            with writing(self.writers, server.url):
                self.ledger.wait_for_more(random.randint(1, 120))
                time.sleep(random.uniform(0, 0.02))  # anywhere within a batch
                server.kill()
        audit(self.root, self.ledger, unanswered(self.writers))

    def end(self) -> None:
        """Repeat what is unanswered, and hold what is served and the working tree to git's history."""
        with serving(self.root, *QUIET) as server, connected(server.url) as client:
            for writer in self.writers:
                writer.settle(server.url)
            assert unanswered(self.writers) == []
            history = audit(self.root, self.ledger)
            assert set(history.request_ids) == {each.ask.request_id for each in self.ledger.acknowledged}
            audit_served(client, self.root, history)
            wait_until_clean(self.root)
            assert server.stop() == 0
        wait_until_clean(self.root)

    def report(self) -> str:
        """Return the figures in one line."""
        return (
            f"{len(self.ready_s)} kills, {len(self.ledger.acknowledged)} writes acknowledged, "
            f"{self.repeated} repeated, none lost, none doubled; ready at {SERVICES} services: "
            f"median {sorted(self.ready_s)[len(self.ready_s) // 2]:.2f} s, worst {max(self.ready_s):.2f} s"
        )


def run(root: Path, rounds: int) -> Campaign:
    campaign = Campaign(root)
    campaign.begin()
    for _ in range(rounds):
        campaign.round()
    campaign.end()
    return campaign


def test_durable_and_atomic_nothing_acknowledged_is_lost_or_doubled_in_10_kills(tmp_path: Path) -> None:
    campaign = run(tmp_path / "repo", 10)
    print(campaign.report())
    assert max(campaign.ready_s) < READY_BOUND_S, campaign.report()


@pytest.mark.soak
def test_durable_and_atomic_nothing_acknowledged_is_lost_or_doubled_in_100_kills(tmp_path: Path) -> None:
    print(run(tmp_path / "repo", 100).report())
