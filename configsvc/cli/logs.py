"""The process's log: one line an event on stderr, as text or as JSON."""

from __future__ import annotations

import logging
import sys
import time

from pythonjsonlogger.json import JsonFormatter

from configsvc.cli.linewriter import LineWriter

# What a JSON line has from every record; what a record was given as `extra` comes beside it.
_JSON_FIELDS = ("levelname", "name", "message")


class TextFormatter(logging.Formatter):
    """Lines for people.  Text of clients is escaped, since a terminal obeys control characters."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without traceback, escaped."""
        line = super().formatMessage(record)
        return line if line.isascii() and line.isprintable() else ascii(line)[1:-1]


def make_formatter(log_format: str) -> logging.Formatter:
    """Return the formatter for `text` or `json`."""
    if log_format == "json":
        return JsonFormatter(
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
