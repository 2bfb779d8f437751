"""One log line a request, whoever answered it."""

from __future__ import annotations

import logging

MAX_LOGGED_CHARS = 512
REQUEST_ID = "configsvc.request_id"
"""Where, in the environment of a request, stands how the logs call it."""

_log = logging.getLogger("configsvc.access")


def log_access(method: str, target: str, status: int, duration_s: float, request_id: str) -> None:
    """Log one answered request.

    Args:
        target: Path and query; cut, and escaped, since a terminal may show it.
        request_id: Names this request in the log, and in an answer 500.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    duration_ms = round(duration_s * 1000, 2)
    shown = printable(target)
    fields = {
        "method": printable(method),
        "path": shown,
        "status": status,
        "duration_ms": duration_ms,
        "request_id": request_id,
    }
    _log.info("%s %s %d %s ms %s", fields["method"], shown, status, duration_ms, request_id, extra=fields)


def printable(text: str) -> str:
    """Return `text` with everything but printable ASCII escaped, at most `MAX_LOGGED_CHARS` of it."""
    cut = text[:MAX_LOGGED_CHARS]
    return ascii(cut)[1:-1] if not (cut.isascii() and cut.isprintable()) else cut
