"""A client that keeps its connection, and knows when a request was left without an answer."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 60.0


class Unanswered(Exception):
    """The connection ended before the whole answer was there: what was asked may have happened or not."""


class Reply(NamedTuple):
    """Status, headers by their lower-case names, and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body parses to."""
        return json.loads(self.body)

    @property
    def revision(self) -> int:
        """Revision that the answer names."""
        return int(self.headers["config-revision"])

    @property
    def version(self) -> int:
        """Version that the answer names."""
        return int(self.headers["config-version"])


class Client:
    """One connection to one server; for one thread at a time."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        self._connection = http.client.HTTPConnection(place.hostname, place.port, timeout=TIMEOUT_S)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Return the answer to one request.

        Raises:
            Unanswered: There was none, or half of one.
        """
        try:
            self._connection.request(method, target, body, dict(headers or {}))
            with self._connection.getresponse() as response:
                return Reply(
                    response.status,
                    {name.lower(): value for name, value in response.getheaders()},
                    response.read(),
                )
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unanswered(f"{method} {target}: {error!r}") from error

    def config(
        self,
        method: str,
        service: str,
        value: object = None,
        *,
        query: str = "",
        request_id: str | None = None,
        if_match: str | None = None,
    ) -> Reply:
        """Return the answer of `/config`; `value` is sent as JSON."""
        headers = {
            name: text
            for name, text in (("Config-Request-Id", request_id), ("If-Match", if_match))
            if text is not None
        }
        if value is None:
            return self.ask(method, f"/config?service={service}{query}", None, headers)
        headers["Content-Type"] = "application/json"
        return self.ask(method, f"/config?service={service}{query}", json.dumps(value).encode(), headers)


@contextlib.contextmanager
def connected(url: str) -> Iterator[Client]:
    """Yield a client of the server at `url`, closed afterwards."""
    with contextlib.closing(Client(url)) as client:
        yield client
