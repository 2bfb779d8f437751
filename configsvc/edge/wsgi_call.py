"""One call of a WSGI application, advanced step by step, each step in any one thread."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class WsgiCall:
    """A request on its way through a WSGI application.

    The steps `start`, `more` and `close` run one after another, never two at a
    time, and share one context, so that they may run in different threads.
    The application's iterable is closed when it ends, fails, or is left.
    """

    def __init__(self, app: WSGIApplication, environ: WSGIEnvironment) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.is_done = False
        self._app = app
        self._environ = environ
        self._context = contextvars.copy_context()
        self._iterable: Iterable[bytes] | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._pending: deque[bytes] = deque()
        self._is_answering = False

    @property
    def length(self) -> int | None:
        """Content-Length of the answer, None when it states none."""
        for name, value in self.headers:
            if name.lower() == "content-length":
                return int(value)
        return None

    def start(self) -> bytes:
        """Run the application up to its first bytes and return them.

        `is_done` tells afterwards whether they are the whole answer.
        """
        return self._context.run(self._guarded, self._start)

    def more(self) -> bytes:
        """Return the next bytes; empty, with `is_done` set, when there are none."""
        return self._context.run(self._guarded, self._next)

    def close(self) -> None:
        """Close the application's iterable.  Closing twice is harmless."""
        self._context.run(self._close)

    def _close(self) -> None:
        self.is_done = True
        iterable, self._iterable = self._iterable, None
        if iterable is not None and hasattr(iterable, "close"):
            iterable.close()

    def _guarded(self, step: Callable[[], bytes]) -> bytes:
        try:
            return step()
        except BaseException:
            self._close()
            raise

    def _start(self) -> bytes:
        self._iterable = self._app(self._environ, self._start_response)
        self._chunks = iter(self._iterable)
        chunk = self._next()
        if not self.status:
            raise RuntimeError("the application answered without start_response")
        if self._environ["REQUEST_METHOD"] == "HEAD" or self.length == len(chunk):
            self._close()
        return chunk

    def _next(self) -> bytes:
        while not self._pending:
            chunk = next(self._chunks, None)
            if chunk is None and not self._pending:
                self._close()
                return b""
            if chunk:
                self._pending.append(chunk)
        self._is_answering = True
        return self._pending.popleft()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and exc_info[1] is not None and self._is_answering:
            raise exc_info[1]
        self.status, self.headers = int(status[:3]), list(headers)
        return self._pending.append
