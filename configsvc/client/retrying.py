"""When to ask again, and how long to wait before that.  No I/O."""

from __future__ import annotations

import random
from dataclasses import dataclass

from configsvc.client.failures import Refused
from configsvc.core.errors import RevisionUnreached

_TRANSIENT = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is repeated.

    Args:
        attempts: Requests in all, >= 1.
        first_delay_s: Longest pause before the second request, in seconds; doubles each time.
        max_delay_s: Longest pause of all, in seconds; a longer `Retry-After` ends the call.
    """

    attempts: int = 4
    first_delay_s: float = 0.1
    max_delay_s: float = 5.0

    def delay_s(self, failures: int, retry_after_s: float) -> float:
        """Return the pause after so many failures: random, and never below what the server asked."""
        longest: float = min(self.max_delay_s, self.first_delay_s * 2.0 ** (failures - 1))
        spread = random.uniform(0.0, longest)  # noqa: S311 - spreads clients, guards nothing
        return retry_after_s + spread if retry_after_s else spread


def is_transient(error: Refused) -> bool:
    """Return whether the same request may be answered well later, or by another server."""
    return error.status in _TRANSIENT or isinstance(error, RevisionUnreached)


def retry_after_s(text: str) -> float:
    """Return the seconds of a `Retry-After`; 0 for none, or for a date."""
    return float(text) if text.isdecimal() and len(text) < 10 else 0.0
