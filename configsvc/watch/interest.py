"""What a client wants to hear of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Interest(NamedTuple):
    """Services by name, and those whose names start with a prefix; the prefix "" is for all.

    Args:
        services: In any order.
        prefixes: Of any text: `pay` is for `payments/api` too.
    """

    services: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def matches(self, service: str) -> bool:
        """Return whether this is about `service`."""
        return service in self.services or service.startswith(self.prefixes)


def interest_in(services: Iterable[str], prefix: str | None) -> Interest:
    """Return the interest in `services` and in those with `prefix`; in everything when neither is given."""
    named = frozenset(services)
    if prefix is None:
        return Interest(named, () if named else ("",))
    return Interest(named, (prefix,))
