from __future__ import annotations

import json
import logging

import pytest

from configsvc.cli.logs import make_formatter


def record(message: str, *args: object, exc_info: bool = False, **extra: object) -> logging.LogRecord:
    info = None
    if exc_info:
        try:
            raise ValueError("trouble")
        except ValueError as error:
            info = (type(error), error, error.__traceback__)
    made = logging.LogRecord("configsvc.test", logging.WARNING, __file__, 1, message, args, info)
    made.created, made.msecs = 0.0, 0.0
    made.__dict__.update(extra)
    return made


def test_a_text_line_has_time_level_and_logger() -> None:
    line = make_formatter("text").format(record("%s is %d", "x", 5))
    assert line == "1970-01-01T00:00:00.000Z WARNING configsvc.test: x is 5"


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\x1b[31m", "\u202e", "\x00", "\u00e9"])
def test_a_text_line_is_one_line_of_printable_ascii(text: str) -> None:
    line = make_formatter("text").format(record("%s", text))
    assert line.isascii()
    assert line.isprintable()


def test_a_traceback_stays_readable() -> None:
    assert "\nValueError: trouble" in make_formatter("text").format(record("failed", exc_info=True))


def test_a_json_line_has_what_the_record_has() -> None:
    line = make_formatter("json").format(record("a\n%s", "b", status=200))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00+00:00",
        "level": "WARNING",
        "logger": "configsvc.test",
        "message": "a\nb",
        "status": 200,
    }


def test_a_json_line_has_the_traceback() -> None:
    assert (
        "ValueError: trouble"
        in json.loads(make_formatter("json").format(record("x", exc_info=True)))["exc_info"]
    )
