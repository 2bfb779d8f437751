"""The process's log: one line an event on stderr, as text or as JSON."""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from configsvc import audit
from configsvc.cli.linewriter import LineWriter
from configsvc.core.errors import SettingInvalid
from configsvc.core.redaction import redact

# What a JSON line has from every record; what a record was given as `extra` comes beside it.
_JSON_FIELDS = ("levelname", "name", "message")


class TextFormatter(logging.Formatter):
    """Lines for people.  Text of clients is escaped, since a terminal obeys control characters."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def stamp(self, created_s: float) -> str:
        """Return a time as lines have it."""
        seconds, milliseconds = divmod(round(created_s * 1000), 1000)
        text = time.strftime(self.default_time_format, time.gmtime(seconds))
        return self.default_msec_format % (text, milliseconds)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback after it, without secrets."""
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without traceback, escaped."""
        line = super().formatMessage(record)
        return line if line.isascii() and line.isprintable() else ascii(line)[1:-1]


class RedactedJsonFormatter(JsonFormatter):
    """Lines for programs, without secrets."""

    def stamp(self, created_s: float) -> str:
        """Return a time as lines have it."""
        return datetime.fromtimestamp(created_s, tz=UTC).isoformat()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redact(super().format(record))


def make_formatter(log_format: str) -> logging.Formatter:
    """Return the formatter for `text` or `json`."""
    if log_format == "json":
        return RedactedJsonFormatter(
            _JSON_FIELDS,
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger"},
            json_ensure_ascii=True,
        )
    return TextFormatter()


def set_up_logging(log_format: str, log_level: str) -> None:
    """Send every logger's records from `log_level` on to stderr.  For the process, once."""
    handler = LineWriter(sys.stderr)
    handler.setFormatter(make_formatter(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log_level.upper())
    # uvicorn tells its own start and stop; the ready line and our log do that.
    logging.getLogger("uvicorn").setLevel(max(root.level, logging.WARNING))


def set_up_audit_log(path: Path) -> None:
    """Append the audit log to a file, for its owner only, instead of to the log.  For the process, once.

    Each line is written before the act is answered, and none is dropped.  The file
    may be moved away while the server runs.

    Raises:
        SettingInvalid: The file cannot be written.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
        handler = _AuditFile(path, encoding="ascii")
    except OSError as error:
        raise SettingInvalid(f"audit log: {path} cannot be written: {error.strerror}") from error
    handler.setFormatter(_AuditFormatter())
    logger = logging.getLogger(audit.LOGGER)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _AuditFormatter(logging.Formatter):
    """The JSON of the act, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(record.getMessage())


class _AuditFile(WatchedFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say in the log that the audit log cannot be written, with the line that it lacks."""
        logging.getLogger(__name__).error("audit log: cannot be written, lacks %s", record.getMessage())
