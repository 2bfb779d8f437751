"""One call, from the first request to the result, as a generator that does no I/O.

The generator yields what is to be done (`Send` or `Pause`) and is sent what
came of it; a blocking driver and an asynchronous one run the same generator.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from configsvc.client.calls import Call
from configsvc.client.endpoints import Endpoints
from configsvc.client.failures import AnswerInvalid, ClientClosed, NoAnswer, Refused, refusal_of
from configsvc.client.messages import Answer, Request
from configsvc.client.retrying import Retries, is_transient, retry_after_s
from configsvc.core.errors import ServiceClosed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send `request` to `base_url`; come back with the answer, or with why there is none."""

    base_url: str
    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait that many seconds; come back with None."""

    seconds: float


Step = Send | Pause
Came = Answer | NoAnswer | None


class Exchange:
    """What the calls of one client have in common.

    Args:
        token: Sent as a bearer token; None for an open server.

    Raises:
        ValueError: No token looks so; it is not shown.
    """

    def __init__(self, endpoints: Endpoints, retries: Retries, token: str | None) -> None:
        self.endpoints = endpoints
        self._retries = retries
        self._auth = _credential(token)
        self._lock = threading.Lock()
        self._min_revision = 0
        self._is_closed = False

    @property
    def min_revision(self) -> int:
        """Revision of this client's last write; no older state is read any more."""
        return self._min_revision

    def check_open(self) -> None:
        """Raise ClientClosed after `close`."""
        if self._is_closed:
            raise ClientClosed("client: closed (expected: open)")

    def close(self) -> None:
        """Refuse all further calls."""
        self._is_closed = True

    def use_token(self, token: str) -> None:
        """Send another token from the next request on.

        Raises:
            ValueError: No token looks so; it is not shown.
        """
        self._auth = _credential(token)

    def forget_writes(self) -> None:
        """Read older states too: the history that was written to is no more."""
        self._min_revision = 0

    def renew(self) -> None:
        """Let go of locks that a thread of the parent process may hold, after a fork."""
        self._lock = threading.Lock()
        self.endpoints.renew()

    def run(self, call: Call[T], retries: Retries | None = None) -> Generator[Step, Came, T]:
        """Yield the steps of `call` and return its result.

        Args:
            retries: In place of the client's.

        Raises:
            ClientClosed: The client was closed before.
            Refused: A server's error that no retry could mend.
            NoAnswer: No server answered.
            AnswerInvalid: The answer is not one of this API.
        """
        if self._is_closed:
            raise ClientClosed("client: closed (expected: open)")
        retries = retries or self._retries
        request = self.dressed(call.request)
        failures = 0
        while True:
            base_url = self.endpoints.choose()
            came = yield Send(base_url, request)
            error, wait_s = self._judged(base_url, came)
            if error is None:
                assert isinstance(came, Answer)
                self._note(request, came)
                return call.parse(came)
            failures += 1
            if failures >= retries.attempts or wait_s is None or wait_s > retries.max_delay_s:
                raise error
            yield Pause(retries.delay_s(failures, wait_s))

    def dressed(self, request: Request) -> Request:
        """Return a request with what all of this client have: credential, request id, least revision."""
        headers, params = {**request.headers, **self._auth}, dict(request.params)
        if request.is_write:
            headers["Config-Request-Id"] = os.urandom(16).hex()
        if request.takes_min_revision and self._min_revision:
            wanted = max(self._min_revision, int(str(params.get("min_revision", "0"))))
            params["min_revision"] = str(wanted)
        return replace(request, headers=headers, params=params)

    def _judged(
        self, base_url: str, came: Came
    ) -> tuple[NoAnswer | Refused | AnswerInvalid | None, float | None]:
        """Return the error, if it is one, and the least seconds until a retry (None: no retry)."""
        if not isinstance(came, Answer):
            self.endpoints.failed(base_url)
            return came or NoAnswer(f"{base_url}: nothing came back"), 0.0
        if came.status < 300 or came.status == 304:
            self.endpoints.answered(base_url)
            return None, None
        if came.status < 400:
            return AnswerInvalid(f"status: {came.status} (expected: no redirection)"), None
        error = refusal_of(came)
        if not is_transient(error):
            return error, None
        self.endpoints.failed(base_url)
        # Another server need not be waited for.
        is_alone = len(self.endpoints.urls) == 1
        waits = is_alone and not isinstance(error, ServiceClosed)
        return error, retry_after_s(came.headers.get("retry-after", "")) if waits else 0.0

    def _note(self, request: Request, answer: Answer) -> None:
        text = answer.headers.get("config-revision", "")
        if not request.is_write or not text.isdecimal():
            return
        with self._lock:
            self._min_revision = max(self._min_revision, int(text))


def _credential(token: str | None) -> Mapping[str, str]:
    if token is None:
        return {}
    # Whatever sends headers would refuse it too, and show it.
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            "token: empty, or with a space, an end of line or another character that no token has "
            "(expected: as it was given out; None for an open server)"
        )
    return {"Authorization": f"Bearer {token}"}
