"""Clients that write without a pause until the server is gone, and later finish what it left open."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence

from tests.end_to_end.client import Client, Unanswered, connected
from tests.end_to_end.ledger import Ask, Ledger, Value

SHARED = "shared/by/all"
JOIN_S = 60.0
RETRY_AFTER_S = 0.02


class Writer:
    """One client: lives through the whole life of a service of its own again and again.

    Args:
        name: Tells this writer's service, request ids and documents from others'.

    Attributes:
        unanswered: The write whose answer did not come.
        refusals: How often it was told to try again (503).
        trouble: What went wrong otherwise.
    """

    def __init__(self, name: str, ledger: Ledger) -> None:
        self.unanswered: Ask | None = None
        self.refusals: list[bytes] = []
        self.trouble: list[str] = []
        self._name = name
        self._ledger = ledger
        self._asks = self._life()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let the write under way be the last."""
        self._stopped.set()

    def write(self, url: str) -> None:
        """Write until the server is gone; first repeat what is unanswered, with the same request id."""
        with connected(url) as client:
            while not self.trouble and not self._stopped.is_set():
                if self.unanswered is None:
                    self.unanswered = next(self._asks)
                if not self._send(client, self.unanswered):
                    return
                self.unanswered = None

    def settle(self, url: str) -> None:
        """Repeat the write that is unanswered, if there is one."""
        with connected(url) as client:
            if self.unanswered is not None and self._send(client, self.unanswered):
                self.unanswered = None

    def _send(self, client: Client, ask: Ask) -> bool:
        try:
            while (reply := ask.send(client)).status == 503:
                self.refusals.append(reply.body)
                if self._stopped.wait(RETRY_AFTER_S):
                    return False
        except Unanswered:
            return False
        if reply.status not in (200, 201):
            self.trouble.append(f"{ask}: {reply.status} {reply.body!r}")
            return False
        self._ledger.add(ask, reply)
        return True

    def _life(self) -> Iterator[Ask]:
        numbers = itertools.count()

        def ask(method: str, service: str, query: str = "", *, document: bool = True) -> Ask:
            number = next(numbers)
            value: Value | None = {"writer": self._name, "number": number} if document else None
            return Ask(method, service, f"{self._name}-{number}", value, query)

        service = f"team-{self._name}/service"
        for life in itertools.count():
            yield ask("POST", service)
            for _ in range(3):
                yield ask("PATCH", service)
                yield ask("PATCH", SHARED)
            yield ask("POST", f"team-{self._name}/life-{life}")
            yield ask("PATCH", service, "&enabled=false", document=False)
            yield ask("DELETE", service, document=False)


@contextlib.contextmanager
def writing(writers: Sequence[Writer], url: str) -> Iterator[None]:
    """Let all writers write while the block runs; the block has to end the server, or stop them."""
    threads = [threading.Thread(target=writer.write, args=[url], daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(JOIN_S)
    assert not any(thread.is_alive() for thread in threads)
    assert [trouble for writer in writers for trouble in writer.trouble] == []


def unanswered(writers: Sequence[Writer]) -> list[Ask]:
    """Return the writes whose answer did not come."""
    return [writer.unanswered for writer in writers if writer.unanswered is not None]


def create_shared(client: Client, ledger: Ledger) -> None:
    """Create the service that all writers patch."""
    ask = Ask("POST", SHARED, "shared-0", {"writer": "nobody", "number": 0})
    ledger.add(ask, ask.send(client))
