"""Refusals made in front of the application, told as the application would tell them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from configsvc.api import headers
from configsvc.api.access_log import NO_REQUEST_ID, log_access
from configsvc.api.problems import SEED_PATH, Problem, Rendered, is_seed_path, phrase, render
from configsvc.edge.asgi_types import RawHeaders, Scope, client_address, header_lines
from configsvc.metrics.metrics import Metrics


class Refused(Exception):
    """A request goes no further.

    Args:
        problem: Why.
        is_read: The request was read to its end, so that the next one may come on the same connection.
    """

    def __init__(self, problem: Problem, *, is_read: bool = False) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.is_read = is_read


@functools.lru_cache(maxsize=256)
def _rendered(problem: Problem, is_seed: bool) -> Rendered:
    """Return what `render` does, made once: under load the same is refused a thousand times a second."""
    return render(problem, SEED_PATH if is_seed else "")


class Refusals:
    """Makes the answers to requests that never reach the application, and logs them.

    Args:
        revision: Returns the newest revision, which every answer names.
        metrics: Count them; None: nobody does.
    """

    def __init__(self, revision: Callable[[], int], metrics: Metrics | None = None) -> None:
        self._revision = revision
        self._metrics = metrics

    def render(self, problem: Problem, path: str) -> Rendered:
        """Return the complete answer, but for `Date` and `Connection`."""
        if self._metrics is not None:
            self._metrics.note_refusal(problem.code)
        rendered = render(problem, path) if problem.details else _rendered(problem, is_seed_path(path))
        added = (
            (headers.REVISION, str(self._revision())),
            *headers.SECURITY,
            ("Content-Length", str(len(rendered.body))),
        )
        return Rendered(rendered.status, (*rendered.headers, *added), rendered.body)

    def render_last(self, problem: Problem, path: str, default_headers: RawHeaders) -> tuple[int, bytes]:
        """Return the status and all bytes of an answer after which the connection is closed."""
        rendered = self.render(problem, path)
        told = [*default_headers, *((_raw(name), _raw(value)) for name, value in rendered.headers)]
        start = b"HTTP/1.1 %d %s\r\n" % (rendered.status, _raw(phrase(rendered.status)))
        return rendered.status, start + header_lines(
            [*told, (b"connection", b"close")]
        ) + b"\r\n" + rendered.body

    def log(self, scope: Scope, status: int, started_s: float, route: str = "") -> None:
        """Log and count a request that the application has not answered.

        Args:
            started_s: When it began, by `time.perf_counter`.
            route: Pattern of what answered; empty for what was refused in front of all routes.
        """
        spent_s = time.perf_counter() - started_s
        if self._metrics is not None:
            self._metrics.note_request("edge", route, scope["method"], status, spent_s)
        query = scope["query_string"].decode("latin-1")
        target = scope["path"] + ("?" + query if query else "")
        log_access(scope["method"], target, status, spent_s, NO_REQUEST_ID, remote=client_address(scope))


def _raw(text: str) -> bytes:
    return text.encode("latin-1")
