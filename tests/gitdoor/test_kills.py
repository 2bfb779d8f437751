"""The server, its git processes and its clients are killed at random during pushes, again and again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.client import connected
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.ledger import Ledger, audit, audit_served
from tests.end_to_end.load import Writer, create_shared, unanswered, writing
from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.clones import client_processes
from tests.gitdoor.load import PushingPerson
from tests.store.gitrepo import assert_sound, git

VICTIMS = ("server", "receive-pack", "client")
ENDED_WITHIN_S = 20.0

pytestmark = [pytest.mark.slow, pytest.mark.crash, pytest.mark.thorough]


class Campaign:
    """Rounds on one repository, and what they came to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "repo"
        self.ledger = Ledger()
        self.writers = [Writer(str(number), self.ledger) for number in range(2)]
        self.people: list[PushingPerson] = []
        self.killed = dict.fromkeys(VICTIMS, 0)

    def begin(self) -> None:
        """Make the repository and the clones."""
        with serving(self.root, *QUIET) as server, connected(server.url) as client:
            create_shared(client, self.ledger)
            self.people = [PushingPerson(name, server.url, self.folder) for name in ("ann", "bob")]

    def round(self, victim: str) -> None:
        """Kill one of those that take part in a push, and hold what is left to what was told."""
        with serving(self.root, *QUIET) as server:
            for person in self.people:
                self._settle(person, server)
            with writing(self.writers, server.url):
                threads = [threading.Thread(target=person.run, args=[server.url]) for person in self.people]
                for thread in threads:
                    thread.start()
                time.sleep(random.uniform(0.2, 1.2))  # anywhere within a push
                self._kill(victim, server)
                if victim != "server":
                    time.sleep(0.3)
                    server.kill()
                for thread in threads:
                    thread.join(ENDED_WITHIN_S)
        self.killed[victim] += 1
        self._wait_for_git()
        assert_sound(self.root)
        audit(self.root, self.ledger, unanswered(self.writers))
        self._audit_pushes()

    def end(self) -> None:
        """Repeat what is open, and hold what is served to git's history."""
        with serving(self.root, *QUIET) as server, connected(server.url) as client:
            for writer in self.writers:
                writer.settle(server.url)
            for person in self.people:
                self._settle(person, server)
                assert person.push_once(), person.trouble
            self._audit_pushes()
            audit_served(client, self.root, audit(self.root, self.ledger))
            wait_until_clean(self.root)
            assert server.ask("GET", "/readyz").status == 200
            assert server.stop() == 0
        assert list((self.root / ".git/objects").glob("*incoming*")) == []
        marks = (self.root / ".git/objects/pack").glob("*.keep")
        assert {mark.name: mark.read_text() for mark in marks} == {}

    def report(self) -> str:
        """Return the figures in one line."""
        landed = sum(len(person.landed) for person in self.people)
        written = len(self.ledger.acknowledged)
        return f"killed: {self.killed}; {landed} pushes and {written} writes landed, none lost"

    def _kill(self, victim: str, server: Server) -> None:
        if victim == "server":
            server.kill()
            return
        give_up_at = time.monotonic() + 5
        while time.monotonic() < give_up_at:
            found = client_processes(self.root) if victim == "receive-pack" else self._clients(server)
            if found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(found), signal.SIGKILL)
                return

    def _clients(self, server: Server) -> list[int]:
        listed = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True).stdout
        rows = [line.strip().split(None, 1) for line in listed.splitlines()[1:]]
        return [int(row[0]) for row in rows if "push origin" in row[1] and str(self.folder) in row[1]]

    def _settle(self, person: PushingPerson, server: Server) -> None:
        """Find out what became of the push that was not answered; start afresh from main."""
        made = person.clone
        for lock in (made.root / ".git").rglob("*.lock"):  # of a client that was killed
            lock.unlink()
        made.git("remote", "set-url", "origin", f"{server.url}/config-repo.git")
        made.reset()
        if person.open_subject is not None:
            subjects = git(self.root, "log", "--format=%s", "main").splitlines()
            if person.open_subject in subjects:
                person.landed.append(person.open_subject)
        person.open_subject = None
        person.trouble.clear()

    def _audit_pushes(self) -> None:
        subjects = git(self.root, "log", "--format=%s", "main").splitlines()
        for person in self.people:
            for subject in person.landed:
                assert subjects.count(subject) == 1, subject

    def _wait_for_git(self) -> None:
        give_up_at = time.monotonic() + ENDED_WITHIN_S
        while found := client_processes(self.root):
            assert time.monotonic() < give_up_at, f"git goes on without its server: {found}"
            time.sleep(0.05)


def run(folder: Path, rounds: int) -> Campaign:
    campaign = Campaign(folder)
    campaign.begin()
    for number in range(rounds):
        campaign.round(VICTIMS[number % len(VICTIMS)])
    campaign.end()
    return campaign


def test_nothing_acknowledged_is_lost_in_10_kills_during_pushes(tmp_path: Path) -> None:
    run(tmp_path, 10)


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_in_100_kills_during_pushes(tmp_path: Path) -> None:
    print(run(tmp_path, 100).report())
