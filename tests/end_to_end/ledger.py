"""What a server acknowledged, and the audit that holds a repository to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.client import Client, Reply
from tests.end_to_end.history import History, read_blobs, read_history
from tests.store.gitrepo import assert_sound

MAP_VERSIONS = 1000
"""Most versions that one answer shows."""

Value = dict[str, object]


@dataclass(frozen=True)
class Ask:
    """One write over `/config`, with all that is needed to repeat it.

    Args:
        value: None for a write without a document.
        query: More of the query, such as `&enabled=false`.
    """

    method: str
    service: str
    request_id: str
    value: Value | None = None
    query: str = ""

    def send(self, client: Client) -> Reply:
        """Return the answer; see `Client.ask`."""
        return client.config(
            self.method, self.service, self.value, query=self.query, request_id=self.request_id
        )


@dataclass(frozen=True)
class Acknowledged:
    """A write that was answered with success; `version` is None where the answer names none."""

    ask: Ask
    revision: int
    version: int | None


class Ledger:
    """All that was acknowledged, in no order.  Thread-safe."""

    def __init__(self) -> None:
        self.acknowledged: list[Acknowledged] = []
        self._grown = threading.Condition()  # guards the list

    def add(self, ask: Ask, reply: Reply) -> None:
        """Note an acknowledgement."""
        version = reply.version if "config-version" in reply.headers else None
        with self._grown:
            self.acknowledged.append(Acknowledged(ask, reply.revision, version))
            self._grown.notify_all()

    def wait_for_more(self, count: int, timeout_s: float = 60.0) -> None:
        """Return when `count` more writes are acknowledged than now."""
        with self._grown:
            wanted = len(self.acknowledged) + count
            assert self._grown.wait_for(lambda: len(self.acknowledged) >= wanted, timeout_s), (
                f"acknowledged: {len(self.acknowledged)} (expected: {wanted} within {timeout_s:.0f} s)"
            )


def audit(root: Path, ledger: Ledger, unanswered: Iterable[Ask] = ()) -> History:
    """Hold the repository to what was acknowledged, by git alone; return its history.

    Args:
        unanswered: Writes that may have happened once, or not at all.
    """
    assert_sound(root)
    history = read_history(root)
    landed = {each.ask.request_id: [each.revision] for each in ledger.acknowledged}
    assert len(landed) == len(ledger.acknowledged), "one request id was acknowledged twice"
    for request_id, revisions in landed.items():
        assert history.request_ids.get(request_id) == revisions, f"{request_id}: landed as (expected: once)"
    for ask in unanswered:
        assert len(history.request_ids.get(ask.request_id, [])) <= 1, ask
        landed[ask.request_id] = []
    assert history.request_ids.keys() <= landed.keys(), "something landed that nobody asked for"
    _audit_versions(root, ledger, history)
    return history


def _audit_versions(root: Path, ledger: Ledger, history: History) -> None:
    """Fail unless every acknowledged document is there, under the version that the answer named."""
    written = [each for each in ledger.acknowledged if each.ask.value is not None]
    places = {}
    for each in written:
        assert each.version is not None
        revision, state = history.versions[each.ask.service][each.version]
        assert revision == each.revision, f"{each}: made by revision {revision}"
        assert state is not None, f"{each}: is a tombstone"
        places[each.ask.request_id] = state[1]
    values = read_blobs(root, set(places.values()))
    for each in written:
        assert values[places[each.ask.request_id]] == each.ask.value
    for each in ledger.acknowledged:
        if each.ask.method == "DELETE":
            assert (each.revision, None) in history.versions[each.ask.service], f"{each}: no tombstone"


def audit_served(client: Client, root: Path, history: History) -> None:
    """Fail unless the server answers every service with exactly the versions that git has."""
    blob_ids = {state[1] for made in history.versions.values() for _, state in made if state is not None}
    values = read_blobs(root, blob_ids)
    for service, made in history.versions.items():
        reply = client.config("GET", service)
        states = [state for _, state in made]
        if states[-1] is None:
            assert reply.status == 404, service
            continue
        born = max((k for k, state in enumerate(states) if state is None), default=-1) + 1
        born = max(born, len(states) - MAP_VERSIONS)
        life = {k: values[state[1]] for k, state in enumerate(states) if state is not None and k >= born}
        assert (reply.status, reply.version) == (200, len(states) - 1), service
        served = reply.json()
        if len(life) > 1:
            assert {int(version): json.loads(text) for version, text in served.items()} == life, service
        else:
            assert served == life[born], service
