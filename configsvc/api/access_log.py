"""One log line a request, whoever answered it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol, cast

MAX_LOGGED_CHARS = 512
REQUEST_ID = "configsvc.request_id"
"""Where, in the environment of a request, stands how the logs call it."""
PRINCIPAL = "configsvc.principal"
"""The same of the name of who asks, once that is known."""
NO_REQUEST_ID = "-"

_log = logging.getLogger("configsvc.access")


def log_access(
    method: str,
    target: str,
    status: int,
    duration_s: float,
    request_id: str,
    *,
    remote: str = "",
    principal: str = "",
) -> None:
    """Log one answered request.

    Args:
        target: Path and query; cut, and escaped, since a terminal may show it.
        request_id: Names this request in the log, and in an answer 500.
        remote: Address of the client; a member of JSON lines only, as is the next one, where they are known.
        principal: Who asked.
    """
    if _log.isEnabledFor(logging.INFO):
        who = {name: text for name, text in (("remote", remote), ("principal", principal)) if text}
        _log.handle(_record(method, target, status, round(duration_s * 1000, 2), request_id, who))


class LineSink(Protocol):
    """A handler that takes lines of which only the time and a duration differ, without a record of each."""

    def prepare_line(self, record: logging.LogRecord, duration_ms: float) -> object:
        """Return the line of `record` for `write_line`; `duration_ms` is what stands in it for a duration."""

    def prepare_alike(self, line: Any, text: str, other: str) -> object:
        """Return a line as `line`, with `other` where it has `text`."""

    def write_line(self, line: Any, duration_ms: float, times: int = 1) -> None:
        """Log a line that was prepared, as of now, so many times."""


_DURATION_MS = 98_765_432.25  # no request takes so long
_TARGET = "/98765432/stands-for-a-target"
# What no format writes otherwise, and what has nothing in it that is taken out of lines.
_PLAIN = re.compile(r"/(?!.*(?:cfg_|bearer|basic))[a-z0-9/_.?=&-]{0,400}", re.ASCII)


class AccessLine:
    """What is logged of requests that are answered alike, thousands in a second: see `log_access`."""

    __slots__ = ("_handler", "_line", "_method", "_sink", "_status", "_target")

    def __init__(self, method: str, target: str, status: int) -> None:
        self._method = method
        self._target = target
        self._status = status
        self._handler: logging.Handler | None = None  # that `_sink` is, or that is none
        self._sink: LineSink | None = None
        self._line: object = None

    def log(self, duration_s: float = 0.0) -> None:
        """Log one of them."""
        if not _log.isEnabledFor(logging.INFO):
            return
        sink = self._find_sink()
        if sink is None:
            log_access(self._method, self._target, self._status, duration_s, NO_REQUEST_ID)
        else:
            sink.write_line(self._line, duration_s and round(duration_s * 1000, 2))

    def log_times(self, times: int) -> None:
        """Log so many that took no time."""
        sink = self._find_sink() if _log.isEnabledFor(logging.INFO) else None
        if sink is None:
            for _ in range(times):
                self.log()
        else:
            sink.write_line(self._line, 0.0, times)

    def log_all(self, durations_s: Iterable[float]) -> None:
        """Log one for each duration."""
        if _log.isEnabledFor(logging.INFO):
            for duration_s in durations_s:
                self.log(duration_s)

    def _find_sink(self) -> LineSink | None:
        """Return what takes the line, which is prepared then; None when nothing does."""
        handlers = logging.root.handlers
        if len(handlers) != 1 or handlers[0] is not self._handler or _log.handlers:
            self._sink = _find_sink()
            self._handler = handlers[0] if handlers else None
            if str(_DURATION_MS) in self._target:
                self._sink = None  # it would be taken for the duration
            if self._sink is not None:
                self._line = _prepared(self._sink, self._method, self._target, self._status)
        return self._sink


def _prepared(sink: LineSink, method: str, target: str, status: int) -> object:
    if not _PLAIN.fullmatch(target):
        record = _record(method, target, status, _DURATION_MS, NO_REQUEST_ID)
        return sink.prepare_line(record, _DURATION_MS)
    # To format a record takes longer than to answer the read that it is about.
    return sink.prepare_alike(_line_of_any(cast(Any, sink), method, status), _TARGET, target)


@lru_cache(maxsize=8)
def _line_of_any(sink: Any, method: str, status: int) -> object:
    return sink.prepare_line(_record(method, _TARGET, status, _DURATION_MS, NO_REQUEST_ID), _DURATION_MS)


def _find_sink() -> LineSink | None:
    """Return the only handler there is, if it takes lines."""
    handlers = logging.root.handlers
    is_taken = len(handlers) == 1 and not _log.handlers and hasattr(handlers[0], "write_line")
    return cast(LineSink, handlers[0]) if is_taken else None


def _record(
    method: str,
    target: str,
    status: int,
    duration_ms: float,
    request_id: str,
    who: Mapping[str, str] = MappingProxyType({}),
) -> logging.LogRecord:
    shown = printable(target)
    fields = {
        "method": printable(method),
        "path": shown,
        "status": status,
        "duration_ms": duration_ms,
        "request_id": request_id,
        **{name: printable(text) for name, text in who.items()},
    }
    arguments = (fields["method"], shown, status, duration_ms, request_id)
    return _log.makeRecord(
        _log.name, logging.INFO, __file__, 0, "%s %s %d %s ms %s", arguments, None, extra=fields
    )


def printable(text: str) -> str:
    """Return `text` with everything but printable ASCII escaped, at most `MAX_LOGGED_CHARS` of it."""
    cut = text[:MAX_LOGGED_CHARS]
    return ascii(cut)[1:-1] if not (cut.isascii() and cut.isprintable()) else cut
