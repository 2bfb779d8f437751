"""What the follower asks to be done, and what may come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configsvc.client.calls import Call
from configsvc.client.exchange import Came, Step
from configsvc.client.live.config import View
from configsvc.client.messages import Request
from configsvc.client.results import Document


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a watch; come back with `Opened`, with another answer, or with why there is none."""

    base_url: str
    request: Request


@dataclass(frozen=True, slots=True)
class Opened:
    """A watch whose bytes may be received now.

    Args:
        headers: Names in lower case.
    """

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for bytes of the watch; come back with them, empty at its end, or with why there are none."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the watch, if there is one."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Call the callbacks of a config about what is pending."""

    view: View[Any]


@dataclass(frozen=True, slots=True)
class Save:
    """Keep a document as the last good copy; come back with whether that was possible."""

    document: Document


@dataclass(frozen=True, slots=True)
class Confirm:
    """Note that the copies of these are the newest."""

    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Have a call made on the side; nothing comes of it."""

    call: Call[None]


LiveStep = Step | Open | Receive | Hangup | Tell | Save | Confirm | Report
LiveCame = Came | Opened | bytes | bool
