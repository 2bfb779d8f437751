"""SIGTERM: what is under way is finished, what is acknowledged stays, the working tree is clean."""

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
from tests.store.gitrepo import git

STOP_BOUND_S = 10.0
ROUNDS = 3

pytestmark = pytest.mark.slow


def test_durable_a_stop_under_load_loses_nothing_and_leaves_a_clean_tree(tmp_path: Path) -> None:
    root, ledger = tmp_path / "repo", Ledger()
    writers = [Writer(str(number), ledger) for number in range(6)]
    with serving(root, *QUIET) as server, connected(server.url) as client:
        create_shared(client, ledger)
    for _ in range(ROUNDS):
        with serving(root, *QUIET) as server:
            with writing(writers, server.url):
                ledger.wait_for_more(random.randint(20, 100))
                started = time.monotonic()
                assert server.stop() == 0
            assert time.monotonic() - started < STOP_BOUND_S
        assert git(root, "--no-optional-locks", "status", "--porcelain") == ""
        audit(root, ledger, unanswered(writers))
    with serving(root, *QUIET) as server, connected(server.url) as client:
        for writer in writers:
            writer.settle(server.url)
        assert unanswered(writers) == []
        audit_served(client, root, audit(root, ledger))
        wait_until_clean(root)
