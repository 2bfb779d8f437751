from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from configsvc.api.access_log import AccessLine, log_access
from configsvc.cli.linewriter import LineWriter
from configsvc.cli.logs import make_formatter


@pytest.fixture
def logged_access() -> Iterator[None]:
    """Requests are logged, whatever was set, and asked of the logger, before."""
    logger = logging.getLogger("configsvc.access")
    level = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(level)


def logging_to_a_terminal(
    monkeypatch: pytest.MonkeyPatch, log_format: str = "text", **options: Any
) -> tuple[io.StringIO, LineWriter]:
    """Have everything logged by one writer with `options`; return what it writes to, and it."""
    terminal = io.StringIO()
    writer = LineWriter(terminal, **options)
    writer.setFormatter(make_formatter(log_format))
    monkeypatch.setattr(logging.root, "handlers", [writer])
    return terminal, writer


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


@pytest.mark.usefixtures("logged_access")
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "target",
    [
        "/config?service=a%2Fb",
        "/api/v1/configs/pay/api-1",
        '/api/v1/configs/98765432.25/\x1b[31m"\\é',
        "/config?service=cfg_0123456789abcdef0123456789abcdef",
        "/config?service=bearer+0123456789abcdef0123456789abcdef",
        "/" + "x" * 900,
    ],
)
def test_a_line_of_many_like_it_is_the_one_that_a_record_makes(
    target: str, log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_764_000_000.125  # a fraction that a float holds exactly
    monkeypatch.setattr(time, "time", lambda: now_s)
    terminal, writer = logging_to_a_terminal(monkeypatch, log_format)

    line = AccessLine("GET", target, 304)
    for duration_s in (0.0, 1.23456):
        line.log(duration_s)
        log_access("GET", target, 304, duration_s, "-")
    writer.close()

    lines = terminal.getvalue().splitlines()
    assert lines[0] == lines[1]
    assert lines[2] == lines[3]
    assert "304" in lines[0]
    assert "1234.56" in lines[2]
    assert "2025-11-24T16:00:00.125" in lines[0]
    assert "0123456789abcdef" not in lines[0]


@pytest.mark.usefixtures("logged_access")
def test_each_of_many_lines_has_its_own_time_and_request_whenever_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock_s = 1_764_000_000.125
    monkeypatch.setattr(time, "time", lambda: clock_s)
    terminal, writer = logging_to_a_terminal(monkeypatch, gather_s=1000.0)

    one, other = AccessLine("GET", "/one", 200), AccessLine("GET", "/other", 304)
    for line in (one, one, other):
        line.log()
    writer.flush()
    one.log()  # in the millisecond of those that are written already
    clock_s += 0.5
    for line in (one, other, one):
        line.log()
    clock_s -= 0.25  # a clock may be set back
    one.log()
    writer.close()

    told = [(line[17:23], line.split()[4]) for line in terminal.getvalue().splitlines()]
    assert told == [
        *(("00.125", "/one"), ("00.125", "/one"), ("00.125", "/other"), ("00.125", "/one")),
        *(("00.625", "/one"), ("00.625", "/other"), ("00.625", "/one"), ("00.375", "/one")),
    ]


@pytest.mark.usefixtures("logged_access")
def test_lines_of_requests_that_nobody_reads_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock_s = 1_764_000_000.125
    monkeypatch.setattr(time, "time", lambda: clock_s)
    terminal, writer = logging_to_a_terminal(monkeypatch, max_waiting=3, gather_s=1000.0)

    line = AccessLine("GET", "/one", 200)
    for _ in range(10):
        clock_s += 1.0
        line.log()
    writer.close()

    *kept, last = terminal.getvalue().splitlines()
    assert [each.split()[4] for each in kept] == ["/one"] * len(kept)
    assert 0 < len(kept) <= 3
    assert last == f"{10 - len(kept)} lines were dropped: nobody read them"


@pytest.mark.usefixtures("logged_access")
def test_answers_of_one_moment_are_a_line_each_and_each_one_dropped_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_764_000_000.125)
    terminal, writer = logging_to_a_terminal(monkeypatch, max_waiting=6, gather_s=1000.0)

    AccessLine("GET", "/one", 200).log_times(3)
    AccessLine("GET", "/other", 200).log_times(5)  # with the moment's own entry, two of them fit
    AccessLine("GET", "/last", 200).log_times(2)
    writer.close()

    *kept, last = terminal.getvalue().splitlines()
    assert [each.split()[4] for each in kept] == ["/one"] * 3 + ["/other"] * 2
    assert last == "5 lines were dropped: nobody read them"


@pytest.mark.usefixtures("logged_access")
def test_a_line_goes_to_whoever_logs_now(monkeypatch: pytest.MonkeyPatch) -> None:
    line = AccessLine("GET", "/one", 200)
    terminals = []
    for _ in range(2):
        terminal, writer = logging_to_a_terminal(monkeypatch, gather_s=1000.0)
        terminals.append(terminal)
        line.log()
        writer.close()
    assert [terminal.getvalue().count("/one") for terminal in terminals] == [1, 1]


@pytest.mark.usefixtures("logged_access")
def test_lines_of_one_millisecond_are_alike_and_those_of_another_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments_s = [1_764_000_000.125, 1_764_000_000.1255, 1_764_000_000.25, 1_764_000_000.25, 1_764_000_000.5]
    terminal, writer = logging_to_a_terminal(monkeypatch, gather_s=1000.0)
    line, other = AccessLine("GET", "/a", 200), AccessLine("GET", "/b", 304)
    for place, moment_s in enumerate(moments_s):
        monkeypatch.setattr(time, "time", lambda: moment_s)  # noqa: B023 - called in this round only
        line.log()
        line.log(0.002 if place == 2 else 0.0)
        other.log()
    writer.close()

    told = [entry.split(" ", 3) for entry in terminal.getvalue().splitlines()]
    assert [f"{stamp[-5:-1]} {rest}" for stamp, _, _, rest in told] == [
        f".{fraction} GET {target} {ms} ms -"
        for fraction, slow in (("125", "0.0"), ("125", "0.0"), ("250", "2.0"), ("250", "0.0"), ("500", "0.0"))
        for target, ms in (("/a 200", "0.0"), ("/a 200", slow), ("/b 304", "0.0"))
    ]


def test_a_line_that_nobody_takes_ready_made_is_logged_as_others_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "configsvc.access"):
        AccessLine("GET", "/config?service=a", 200).log()
    assert caplog.messages == ["GET /config?service=a 200 0.0 ms -"]
