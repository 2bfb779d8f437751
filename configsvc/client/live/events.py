"""Server-sent events out of the bytes of a watch.  https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from configsvc.client.failures import AnswerInvalid

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""A stream whose events do not end is given up."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Args:
        revision: Its id; None when it has none.
        data: What its data parses to, an object.
    """

    kind: str
    revision: int | None
    data: dict[str, Any]


class EventParser:
    """Takes the bytes of one stream, however they are cut."""

    def __init__(self) -> None:
        self.retry_s: float | None = None
        """What the server asks for before one comes again, in seconds."""
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes.

        Raises:
            AnswerInvalid: It is no stream of events of this API.
        """
        *blocks, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise AnswerInvalid(f"event: {len(self._rest)} bytes without an end (expected: an event)")
        read = (self._event(block) for block in blocks)
        return [event for event in read if event is not None]

    def _event(self, block: bytes) -> Event | None:
        kind, revision, data = "message", None, []
        for line in block.decode("utf-8", "replace").split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "id" and value.isdecimal():
                revision = int(value)
            elif name == "retry" and value.isdecimal():
                self.retry_s = int(value) / 1000
        return Event(kind, revision, _object("\n".join(data))) if data else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid("event: data that does not parse (expected: JSON)") from error
    if not isinstance(value, dict):
        raise AnswerInvalid(f"event: {type(value).__name__} (expected: an object)")
    return value
