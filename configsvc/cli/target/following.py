"""A watch of a server that goes on from where it was when the connection breaks."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence

from configsvc.cli.target.protocol import Change
from configsvc.client import Answer, AnswerInvalid, NoAnswer, Refused, Request, Retries, VersionMade
from configsvc.client.exchange import Exchange
from configsvc.client.failures import refusal_of
from configsvc.client.live.events import Event, EventParser
from configsvc.client.parsing import build
from configsvc.client.retrying import is_transient, retry_after_s
from configsvc.client.transport import Stream, Transport
from configsvc.core.errors import RequestInvalid, Unauthorized

SILENCE_S = 45.0
"""A watch that says nothing for so long is given up, in seconds; the server says something every 15 s."""
MAX_REFUSAL_BYTES = 1 << 20
_PAUSES = Retries(first_delay_s=0.1, max_delay_s=10.0)
_EVENTS = "text/event-stream"

_log = logging.getLogger("configsvc.watch")


class Following:
    """One watch of the servers of a client.

    Args:
        since: Last revision that is known.
        renew_token: Asked when the credential is refused; returns whether there is another one now.
    """

    def __init__(
        self,
        exchange: Exchange,
        transport: Transport,
        services: Sequence[str],
        prefix: str | None,
        since: int,
        renew_token: Callable[[], bool],
    ) -> None:
        self.position = since
        """All up to this revision was told."""
        self._exchange = exchange
        self._transport = transport
        self._services = tuple(services)
        self._prefix = prefix
        self._renew_token = renew_token
        self._closed = threading.Event()
        self._stream: Stream | None = None
        self._failures = 0
        self._retry_after_s = 0.0

    def changes(self) -> Iterator[Change]:
        """Yield what changes until it is closed.

        Raises:
            ConfigError: No repetition could help: the credential is valid no longer, say.
        """
        while not self._closed.is_set():
            base_url = self._exchange.endpoints.choose()
            pause_s = 0.0
            try:
                pause_s = yield from self._one(base_url)
            except (NoAnswer, AnswerInvalid, Refused) as error:
                if self._closed.is_set():
                    return
                pause_s = self._pause_after(error, base_url)
            self._closed.wait(pause_s)

    def close(self) -> None:
        """End the watch; any thread may call it."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.interrupt()

    def _one(self, base_url: str) -> Generator[Change, None, float]:
        """Yield the changes of one connection; return the seconds to wait before the next one."""
        self._retry_after_s = 0.0
        stream = self._stream = self._transport.stream(base_url, self._request())
        self._retry_after_s = retry_after_s(stream.headers.get("retry-after", ""))
        try:
            _check(stream)
            self._note_well(base_url)
            parser = EventParser()
            while not self._closed.is_set():
                data = stream.read()
                if not data:
                    raise NoAnswer(f"{base_url}: the watch ended (expected: more of it)")
                for event in parser.feed(data):
                    if event.kind == "change" and event.revision is not None:
                        self.position = event.revision
                        yield _change(event)
                    elif event.kind == "error":
                        raise _ended(event)
                    elif event.kind == "reconnect":
                        return parser.retry_s or 0.0
            return 0.0
        finally:
            self._stream = None
            stream.close()

    def _request(self) -> Request:
        params: dict[str, str | tuple[str, ...]] = {"since": str(self.position)}
        if self._services:
            params["service"] = self._services
        if self._prefix is not None:
            params["prefix"] = self._prefix
        headers = {"Accept": _EVENTS, "Accept-Encoding": "identity"}
        return self._exchange.dressed(Request("GET", "/api/v1/watch", params, headers, timeout_s=SILENCE_S))

    def _note_well(self, base_url: str) -> None:
        self._exchange.endpoints.answered(base_url)
        if self._failures:
            _log.warning("watch: goes on from revision %d", self.position)
        self._failures = 0

    def _pause_after(self, error: NoAnswer | AnswerInvalid | Refused, base_url: str) -> float:
        if isinstance(error, Unauthorized) and self._renew_token():
            return 0.0
        # One of several servers may not have come as far as the one before.
        is_behind = isinstance(error, RequestInvalid) and len(self._exchange.endpoints.urls) > 1
        if isinstance(error, Refused) and not (is_transient(error) or is_behind):
            raise error
        self._exchange.endpoints.failed(base_url)
        self._failures += 1
        if self._failures == 1:
            _log.warning("watch: %s; trying again", error.message)
        return _PAUSES.delay_s(min(self._failures, 10), self._retry_after_s)


def _check(stream: Stream) -> None:
    kind = stream.headers.get("content-type", "").partition(";")[0]
    if stream.status == 200 and kind == _EVENTS:
        return
    body = b""
    while len(body) < MAX_REFUSAL_BYTES and (data := stream.read()):
        body += data
    if stream.status >= 400:
        raise refusal_of(Answer(stream.status, stream.headers, body))
    raise AnswerInvalid(f"watch: status {stream.status}, type {kind!r} (expected: {_EVENTS})")


def _change(event: Event) -> Change:
    services = event.data.get("services")
    if not isinstance(services, list) or event.revision is None:
        raise AnswerInvalid("event: no services (expected: a list of them)")
    made = tuple(build(VersionMade, each) for each in services)
    return Change(event.revision, str(event.data.get("commit_id", "")), made)


def _ended(event: Event) -> Refused:
    """Return why the server ended a watch for good."""
    return refusal_of(Answer(401, {}, json.dumps(event.data).encode()))
