"""WSGI applications that show what reaches an application, and what becomes of its answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Echo:
    """Answers with what it was asked, as JSON, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.calls += 1
        seen: dict[str, Any] = {name: value for name, value in environ.items() if isinstance(value, str)}
        seen["body"] = environ["wsgi.input"].read().decode("latin-1")
        body = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


class Stream:
    """Answers chunk by chunk without a length; tells which threads were used and when it was closed."""

    def __init__(self, chunks: Iterable[bytes], *, read_body: bool = True) -> None:
        self.closed = threading.Event()
        self.threads: set[int] = set()
        self.taken = 0
        self._chunks = chunks
        self._read_body = read_body

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._read_body:
            environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return self._produce()

    def _produce(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                self.threads.add(threading.get_ident())
                self.taken += 1
                yield chunk
        finally:
            self.closed.set()
