"""One client's watch: what it asked for, and what it is sent next.  Knows no server, so all use it."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from configsvc.access.decide import Access, Action, Admission
from configsvc.api.conditional import stored_tag
from configsvc.api.parameters import MAX_INTEGER, Query
from configsvc.core.errors import ConfigError, RequestInvalid
from configsvc.core.names import MAX_NAME_CHARS, parse_service
from configsvc.store.base import Entry, Snapshot
from configsvc.watch.interest import Interest, interest_in
from configsvc.watch.stream import Event, Stream, existing

WATCH_PATH = "/api/v1/watch"
EVENT_STREAM = "text/event-stream"
HEARTBEAT = b": heartbeat\n\n"
HEARTBEAT_S = 15.0
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
RETRY_MS = 1000
SNAPSHOT_PART = 200
"""Most services that one event of a snapshot lists."""


class WatchAsk(NamedTuple):
    """What a client wants to watch.

    Args:
        since: Last revision it knows; None for the newest one.
        is_snapshot: It wants to be told first what exists.
    """

    interest: Interest
    since: int | None
    is_snapshot: bool


def read_watch(raw_query: bytes, last_event_id: str | None) -> WatchAsk:
    """Return what a request asks for; `Last-Event-ID`, which a client sends that comes again, wins.

    Raises:
        RequestInvalid: A parameter or the header is malformed.
    """
    query = Query(raw_query, ("service", "prefix", "since", "snapshot"), many=("service",))
    services = [parse_service(name) for name in query.find_all("service")]
    prefix = query.find("prefix")
    if prefix is not None and len(prefix) > MAX_NAME_CHARS:
        raise RequestInvalid(f"prefix: {len(prefix)} characters (expected: <= {MAX_NAME_CHARS})")
    since, is_snapshot = query.integer("since"), query.flag("snapshot") is True
    if is_snapshot and since is not None:
        raise RequestInvalid("since: is given with snapshot (expected: one of them)")
    if last_event_id:
        since, is_snapshot = _read_id(last_event_id), False
    return WatchAsk(interest_in(services, prefix), since, is_snapshot)


class Watch:
    """What one client is sent, piece by piece.

    Args:
        authorization: Header of that name, to be asked about again when principals change.

    Raises:
        Unauthorized: There is no valid credential in it.
        NotFound: The client may not read a service that it names.
        RequestInvalid: It knows a revision that this server has not.
    """

    def __init__(
        self, ask: WatchAsk, access: Access, authorization: str | None, snapshot: Callable[[], Snapshot]
    ) -> None:
        self._ask = ask
        self._access = access
        self._authorization = authorization
        self._snapshot = snapshot
        self._admission: Admission = access.admit(authorization)
        self._require()
        first = snapshot()
        self.revision = first.revision
        since = first.revision if ask.since is None else ask.since
        if since > first.revision:
            raise RequestInvalid(f"since: {since} (expected: <= {first.revision}, the newest revision)")
        self._stream = Stream(ask.interest, since)
        self._opening = self._open(first)
        self._is_open = False

    @property
    def interest(self) -> Interest:
        """What it is about."""
        return self._ask.interest

    @property
    def position(self) -> int:
        """All up to this revision was told, or is not about what is watched."""
        return self._stream.position

    def resumed(self, since: int) -> Watch:
        """Return the same watch of a client that was told all up to `since`, and no more."""
        other = copy.copy(self)
        other._stream = Stream(self._ask.interest, since)
        other._opening = iter(())
        return other

    def pause_s(self, heartbeat_s: float) -> float:
        """Return in how many seconds there is something to do though nothing happens.

        Args:
            heartbeat_s: Longest time in which a client is sent nothing; its credential may end sooner.
        """
        return min(heartbeat_s, max(0.0, self._admission.ends_at_s - self._access.now_s()))

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that is published was told."""
        return self._is_open and self._stream.position >= self._snapshot().revision

    def step(self) -> bytes:
        """Return what the client is to be sent next; empty when nothing of the step is for it.

        Raises:
            Unauthorized: Its credential is valid no longer.
            NotFound: It may not read a service that it names any longer.
        """
        if not self._access.is_current(self._admission):
            self._admission = self._access.admit(self._authorization)
            self._require()
        if not self._is_open:
            part = next(self._opening, None)
            if part is not None:
                return part
            self._is_open = True
        snapshot = self._snapshot()
        return b"".join(_change(snapshot, each) for each in self._stream.step(snapshot, self._may_read))

    def _open(self, snapshot: Snapshot) -> Iterator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        if not self._ask.is_snapshot:
            return
        entries = existing(snapshot, self.interest)
        while part := list(islice(entries, SNAPSHOT_PART)):
            shown = [_shown(entry) for entry in part if self._may_read(entry.service)]
            told = {"revision": snapshot.revision, "services": shown}
            yield _event("snapshot", told) if shown else b""
        # Only now there is an id: whoever loses the connection before starts again.
        yield _event("ready", {"revision": snapshot.revision}, snapshot.revision)

    def _require(self) -> None:
        for service in sorted(self.interest.services):
            self._access.require(self._admission.principal, Action.READ, service)

    def _may_read(self, service: str) -> bool:
        return self._access.may(self._admission.principal, Action.READ, service)


def ended(error: ConfigError) -> bytes:
    """Return the event that tells why a watch ends for good."""
    return _event("error", {"code": error.code, "detail": error.message})


def reconnect() -> bytes:
    """Return the event that tells a client to come again, after a second or two: not all at once."""
    return b"retry: %d\n" % random.randint(RETRY_MS, 2 * RETRY_MS) + _event("reconnect", {})  # noqa: S311


def _read_id(text: str) -> int:
    if not _ID.fullmatch(text) or int(text) > MAX_INTEGER:
        raise RequestInvalid(f"Last-Event-ID: {text[:40]!a} (expected: the id of an event)")
    return int(text)


def _change(snapshot: Snapshot, event: Event) -> bytes:
    told = {
        "revision": event.revision,
        "commit_id": snapshot.record(event.revision).commit_id,
        "services": [_shown(entry) for entry in event.entries],
    }
    return _event("change", told, event.revision)


def _shown(entry: Entry) -> dict[str, object]:
    return {
        "service": entry.service,
        "version": entry.version,
        "etag": stored_tag(entry),
        "deleted": entry.deleted,
    }


def _event(kind: str, told: dict[str, object], revision: int | None = None) -> bytes:
    lines = [f"event: {kind}", f"data: {json.dumps(told)}", "", ""]
    if revision is not None:
        lines.insert(0, f"id: {revision}")
    return "\n".join(lines).encode("ascii")
