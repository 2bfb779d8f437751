"""People who push, and programs that write at a steady pace, at one time."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.end_to_end.client import connected
from tests.end_to_end.ledger import Ask, Ledger
from tests.gitdoor.clones import Clone, clone
from tests.store.gitrepo import run_git

JOIN_S = 120.0
API_SERVICES = 50


class PacedWriter:
    """Writes over the API, so many times a second; notes how long each write took."""

    def __init__(self, ledger: Ledger, per_second: float) -> None:
        self.seconds: list[float] = []
        self.trouble: list[str] = []
        self._ledger = ledger
        self._pause_s = 1 / per_second
        self._stopped = threading.Event()

    def create(self, url: str) -> None:
        """Make the services that are written."""
        with connected(url) as client:
            for number in range(API_SERVICES):
                ask = Ask("POST", _service(number), f"create-{number}", {"n": -1})
                self._ledger.add(ask, ask.send(client))

    def run(self, url: str) -> None:
        """Write until it is stopped."""
        started = time.monotonic()
        with connected(url) as client:
            for number in itertools.count():
                if self._stopped.wait(max(0.0, started + number * self._pause_s - time.monotonic())):
                    return
                ask = Ask("PATCH", _service(number % API_SERVICES), f"api-{number}", {"n": number})
                sent = time.perf_counter()
                reply = ask.send(client)
                self.seconds.append(time.perf_counter() - sent)
                if reply.status != 200:
                    self.trouble.append(f"{ask}: {reply.status} {reply.body!r}")
                    return
                self._ledger.add(ask, reply)

    def stop(self) -> None:
        """Let the write under way be the last."""
        self._stopped.set()

    def p99(self) -> float:
        """Return the 99th percentile in seconds."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


class PushingPerson:
    """Edits a service of its own, pushes for main, and pulls, again and again.

    Attributes:
        landed: Subjects of the commits whose push was told to have landed.
        open_subject: The commit whose push has not been answered.
    """

    def __init__(self, name: str, url: str, folder: Path) -> None:
        self.landed: list[str] = []
        self.open_subject: str | None = None
        self.trouble: list[str] = []
        self.clone: Clone = clone(f"{url}/config-repo.git", folder / name)
        self._name = name
        self._numbers = itertools.count()
        self._stopped = threading.Event()

    def run(self, url: str) -> None:
        """Push until it is stopped or a push fails."""
        self.clone.git("remote", "set-url", "origin", f"{url}/config-repo.git")
        while not self._stopped.is_set():
            if not self.push_once():
                return

    def push_once(self) -> bool:
        """Push one commit; return whether it landed."""
        number = next(self._numbers)
        self.open_subject = f"{self._name} pushes {number}"
        self.clone.commit({f"people/{self._name}.json": f'{{"n": {number}}}\n'}, self.open_subject)
        pushed = self.clone.push()
        if not pushed.ok:
            self.trouble.append(pushed.text)
            return False
        self.landed.append(self.open_subject)
        self.open_subject = None
        pulled = run_git(self.clone.root, "pull", "-q", "--ff-only", "origin", "main")
        if pulled.returncode != 0:
            self.trouble.append(pulled.stderr.decode())
        return pulled.returncode == 0

    def stop(self) -> None:
        """Let the push under way be the last."""
        self._stopped.set()


@contextlib.contextmanager
def busy(url: str, *workers: PacedWriter | PushingPerson) -> Iterator[None]:
    """Let all work while the block runs."""
    threads = [threading.Thread(target=worker.run, args=[url], daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join(JOIN_S)
    assert not any(thread.is_alive() for thread in threads)


def troubles(workers: Sequence[PacedWriter | PushingPerson]) -> list[str]:
    """Return what went wrong."""
    return [trouble for worker in workers for trouble in worker.trouble]


def _service(number: int) -> str:
    return f"api/service-{number}"
