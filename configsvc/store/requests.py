"""Recent request ids, so that a repeated write happens once.

An id is its asker's: who repeats somebody else's is told nothing of what became of it, and takes none away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from configsvc.core.changes import Outcome

MAX_REQUESTS = 20_000
"""How many of the newest request ids are remembered."""


RequestKey = tuple[str, str]
"""Who asked, and the id of the request."""


class Landing(NamedTuple):
    """A request id and what came of it.

    Args:
        asker: Name of the author.
        digest: What was asked; a repeat of the id with another digest is refused.
    """

    asker: str
    request_id: str
    digest: str
    outcome: Outcome

    @property
    def key(self) -> RequestKey:
        """What it is remembered under."""
        return self.asker, self.request_id


_ID_TRAILER = "Config-Request-Id"
_DIGEST_TRAILER = "Config-Request-Digest"


def request_trailers(request_id: str | None, digest: str) -> dict[str, str]:
    """Return the trailers of a commit whose write had a request id; none without."""
    if request_id is None:
        return {}
    return {_ID_TRAILER: request_id} | ({_DIGEST_TRAILER: digest} if digest else {})


def read_request_trailers(message: str) -> tuple[str, str] | None:
    """Return the request id and digest that a commit message ends with, None when it has none.

    Read by ourselves: git stops looking for trailers at a scissors line, which a client may send.
    """
    last = message.rstrip("\n").rpartition("\n\n")[2]
    found = dict(line.split(": ", 1) for line in last.split("\n") if ": " in line)
    request_id = found.get(_ID_TRAILER)
    return None if request_id is None else (request_id, found.get(_DIGEST_TRAILER, ""))


class RequestTable:
    """Request ids of the newest writes.  Used by the writer's thread only."""

    def __init__(self, max_requests: int = MAX_REQUESTS) -> None:
        self._max_requests = max_requests
        self._landings: OrderedDict[RequestKey, Landing] = OrderedDict()

    def find(self, key: RequestKey) -> Landing | None:
        """Return what came of a request, None when it is not known."""
        return self._landings.get(key)

    def add(self, landings: Iterable[Landing]) -> None:
        """Remember landings, newest last; the oldest are forgotten."""
        for landing in landings:
            self._landings[landing.key] = landing
            self._landings.move_to_end(landing.key)
        while len(self._landings) > self._max_requests:
            self._landings.popitem(last=False)
