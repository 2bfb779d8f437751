from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator

import pytest

from configsvc.cli.linewriter import LineWriter

PATIENCE_S = 20.0
NEVER_S = 1000.0


class Terminal(io.StringIO):
    """A stream that tells when something was written, and that can be held."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()
        self.is_free = threading.Event()
        self.is_free.set()
        self.writes = 0

    def write(self, text: str) -> int:
        assert self.is_free.wait(PATIENCE_S)
        self.writes += 1
        count = super().write(text)
        self.written.set()
        return count


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def writer(terminal: Terminal) -> Iterator[LineWriter]:
    made = LineWriter(terminal, max_waiting=3, gather_s=NEVER_S)
    yield made
    terminal.is_free.set()
    made.close()


def record(message: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("test", level, __file__, 1, message, (), None)


def test_lines_are_written_by_themselves(terminal: Terminal) -> None:
    writer = LineWriter(terminal, gather_s=0.0)
    writer.handle(record("a"))
    assert terminal.written.wait(PATIENCE_S)
    assert terminal.getvalue() == "a\n"
    writer.close()


def test_lines_that_come_together_are_written_together(terminal: Terminal, writer: LineWriter) -> None:
    for text in "abc":
        writer.handle(record(text))
    writer.flush()
    assert (terminal.getvalue(), terminal.writes) == ("a\nb\nc\n", 1)


def test_a_warning_is_written_at_once_and_in_its_place(terminal: Terminal, writer: LineWriter) -> None:
    writer.handle(record("a"))
    writer.handle(record("trouble", logging.WARNING))
    assert terminal.getvalue() == "a\ntrouble\n"


def test_beyond_what_may_wait_lines_are_dropped_and_counted(terminal: Terminal, writer: LineWriter) -> None:
    for number in range(5):
        writer.handle(record(str(number)))
    writer.flush()
    assert terminal.getvalue() == "0\n1\n2\n2 lines were dropped: nobody read them\n"
    writer.handle(record("again"))
    writer.flush()
    assert terminal.getvalue().endswith("\nagain\n")


def test_who_logs_does_not_wait_for_who_reads(terminal: Terminal, writer: LineWriter) -> None:
    terminal.is_free.clear()
    writer.handle(record("a"))
    flushing = threading.Thread(target=writer.flush)
    flushing.start()
    for number in range(10):
        writer.handle(record(str(number)))
    terminal.is_free.set()
    flushing.join(PATIENCE_S)
    assert not flushing.is_alive()


def test_a_close_writes_what_waits(terminal: Terminal) -> None:
    writer = LineWriter(terminal, gather_s=NEVER_S)
    writer.handle(record("a"))
    writer.close()
    assert terminal.getvalue() == "a\n"


def test_a_stream_that_is_closed_stops_nobody(terminal: Terminal, writer: LineWriter) -> None:
    terminal.close()
    writer.handle(record("trouble", logging.ERROR))
