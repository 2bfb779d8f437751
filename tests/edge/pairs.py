"""The same service twice: with plain reads answered in front of Flask, and without."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from configsvc.app import create_app, unlogged
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book
from tests.edge.running import running

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Headers = dict[str, str]
Request = tuple[str, str, Headers]
Answer = tuple[int, list[tuple[str, str]], bytes]

SEED, API = "/config?service=", "/api/v1/configs/"


@dataclass
class Pair:
    """The same service twice: with hot reads and without."""

    book: Book
    hot: HotAnswerer
    ports: tuple[int, int] = (0, 0)

    def ask(self, port: int, request: Request) -> Answer:
        method, target, headers = request
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with closing(connection):
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": "localhost", **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            kept = sorted(
                (name.lower(), value) for name, value in response.getheaders() if name.lower() != "date"
            )
            return response.status, kept, response.read()

    @property
    def answered(self) -> Counter[int]:
        """Answers given in front of Flask, by status."""
        return self.ready + self.hot.answered

    @property
    def ready(self) -> Counter[int]:
        """Those of them that went straight to the network: told before the next question is read."""
        self.ask(self.ports[0], ("GET", "/healthz", {}))
        return self.hot.ready

    def check(self, request: Request) -> Answer:
        """Return the answer to a request; both give the same, the first time and later."""
        expected = self.ask(self.ports[1], request)
        for _ in range(2):
            assert self.ask(self.ports[0], request) == expected, request
        return expected


@contextmanager
def pair(
    book: Book, settings: Settings, *, around: Callable[[WSGIApplication], WSGIApplication] = lambda app: app
) -> Iterator[Pair]:
    """Yield both.

    Args:
        around: What stands between the answers in front and Flask.
    """
    service = ConfigService(book.store, bounds=settings.bounds)
    app = create_app(service, settings, access=book.access)
    hot = HotAnswerer(around(unlogged(app)), book.access, service, settings.hot_cache_bytes)
    with closing(hot), running(app, settings, hot=hot) as front, running(app, settings) as behind:
        yield Pair(book, hot, (front, behind))
