"""Recent request ids, so that a repeated write happens once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from configsvc.core.changes import Outcome

MAX_REQUESTS = 20_000
"""How many of the newest request ids are remembered."""


@dataclass(frozen=True, slots=True)
class Landing:
    """A request id and what came of it.

    Args:
        digest: What was asked; None when it is known from history only, and then not compared.
    """

    request_id: str
    digest: str | None
    outcome: Outcome


class RequestTable:
    """Request ids of the newest writes.  Used by the writer's thread only."""

    def __init__(self, max_requests: int = MAX_REQUESTS) -> None:
        self._max_requests = max_requests
        self._landings: OrderedDict[str, Landing] = OrderedDict()

    def find(self, request_id: str) -> Landing | None:
        """Return what came of `request_id`, None when it is not known."""
        return self._landings.get(request_id)

    def add(self, landings: Iterable[Landing]) -> None:
        """Remember landings, newest last; the oldest are forgotten."""
        for landing in landings:
            self._landings[landing.request_id] = landing
            self._landings.move_to_end(landing.request_id)
        while len(self._landings) > self._max_requests:
            self._landings.popitem(last=False)
