"""A request and its answer as values; nothing here sends anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request without the server that it goes to; its `repr` leaves out what may be secret.

    Args:
        path: Absolute, already escaped, without a query.
        params: The query, not escaped; a tuple stands for a parameter that is given more than once.
        is_write: Whether it may change something; such a request gets a request id.
        takes_min_revision: Whether the call knows the parameter `min_revision`.
        timeout_s: Longest silence while an answer is awaited, in seconds; None: as the client has it.
    """

    method: str
    path: str
    params: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    is_write: bool = False
    takes_min_revision: bool = False
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Args:
        headers: Names in lower case.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
