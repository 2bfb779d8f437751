"""What one watch has to be about, so that it tells of all services that a client follows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from configsvc.client.messages import Request

MAX_NAMED = 14
"""Most services that a watch names: a request has 16 parameters at most."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Services by name, or all that start with a prefix when no names are given."""

    services: tuple[str, ...] = ()
    prefix: str = ""

    def covers(self, service: str) -> bool:
        """Return whether a watch of this tells of `service`."""
        return service in self.services if self.services else service.startswith(self.prefix)

    def request(self, since: int | None, silence_s: float) -> Request:
        """Return the request of a watch that tells what comes after revision `since`; None: from now on."""
        params: dict[str, str | tuple[str, ...]] = {}
        if self.services:
            params["service"] = self.services
        elif self.prefix:
            params["prefix"] = self.prefix
        if since is not None:
            params["since"] = str(since)
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        return Request("GET", "/api/v1/watch", params, headers, timeout_s=silence_s)


def coverage_of(services: Collection[str], *, by_prefix: bool = False) -> Coverage:
    """Return a coverage of `services`.

    Args:
        services: At least one.
        by_prefix: Name none: a server refuses a watch that names one that may not be read.
    """
    if len(services) <= MAX_NAMED and not by_prefix:
        return Coverage(tuple(sorted(services)))
    # What the first and the last one have in common, all between them have too.
    first, last = min(services), max(services)
    same = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return Coverage(prefix=first[: next(same, min(len(first), len(last)))])
