"""A log handler that keeps the writing of lines off the path of requests."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import Protocol, TextIO, cast

MAX_WAITING_LINES = 20_000
GATHER_S = 0.1
"""Seconds that lines are gathered for one write: each costs the event loop its turn for a moment."""

_STAMP, _DURATION = "\x00", "\x01"  # in a line that is prepared; no formatter lets them through
_EPOCH_S = 3600.0  # of the record that a line is prepared from


class PreparedLine:
    """A line of which only the time and a duration differ."""

    __slots__ = ("_line", "_without_duration", "stamp", "text")

    def __init__(self, line: str) -> None:
        self._line = line
        self._without_duration = line.replace(_DURATION, "0.0")
        self.stamp = self.text = ""
        """The last time that it was filled in with, and the line without a duration then."""

    def filled_in(self, stamp: str, duration_ms: float) -> str:
        """Return the line."""
        if duration_ms:
            return self._line.replace(_STAMP, stamp).replace(_DURATION, str(duration_ms))
        self.stamp, self.text = stamp, self._without_duration.replace(_STAMP, stamp)
        return self.text


_Prepared = tuple[PreparedLine, float, float]  # the line, when it was written, the duration in ms


class StampedFormatter(Protocol):
    """A formatter that tells how it writes a time."""

    def stamp(self, created_s: float) -> str:
        """Return what stands in a line for the time of a record."""


class LineWriter(logging.Handler):
    """Writes lines to `stream` in a thread, many at a time; warnings and worse at once.

    A reader that stops reading stops nobody: beyond `max_waiting` lines, new
    ones are dropped, and counted in a line of their own once it reads again.
    """

    def __init__(
        self, stream: TextIO, *, max_waiting: int = MAX_WAITING_LINES, gather_s: float = GATHER_S
    ) -> None:
        super().__init__()
        self._stream = stream
        self._max_waiting = max_waiting
        self._gather_s = gather_s
        self._waiting: deque[str | _Prepared] = deque()  # whose steps are atomic, so that nobody waits
        self._dropped = 0  # guarded by the handler's own lock
        self._writing = threading.Lock()  # keeps batches in order
        self._has_lines = threading.Event()
        self._is_told = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._take(self.format(record))

    def prepare_line(self, record: logging.LogRecord, duration_ms: float) -> PreparedLine:
        """Return the line of `record` for `write_line`; `duration_ms` is what stands in it for a duration."""
        record.created, record.msecs = _EPOCH_S, 0.0
        stamp = cast(StampedFormatter, self.formatter).stamp(_EPOCH_S)
        return PreparedLine(self.format(record).replace(stamp, _STAMP).replace(str(duration_ms), _DURATION))

    def write_line(self, line: PreparedLine, duration_ms: float) -> None:
        """Take a prepared line as of now; it is filled in when it is written."""
        self._take((line, time.time(), duration_ms))

    def _take(self, line: str | _Prepared) -> None:
        if len(self._waiting) >= self._max_waiting:
            with self.lock or contextlib.nullcontext():
                self._dropped += 1
            return
        self._waiting.append(line)
        if not self._is_told:
            self._is_told = True
            self._has_lines.set()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record, and write it now if it matters."""
        is_taken = bool(super().handle(record))
        if record.levelno >= logging.WARNING:
            self.flush()
        return is_taken

    def flush(self) -> None:
        """Write all that waits."""
        with self._writing:
            with self.lock or contextlib.nullcontext():
                dropped, self._dropped = self._dropped, 0
            lines = self._fill_in([self._waiting.popleft() for _ in range(len(self._waiting))])
            if dropped:
                lines.append(f"{dropped} lines were dropped: nobody read them")
            if lines:
                # Nobody reads this any more; there is no other place to say so.
                with contextlib.suppress(OSError, ValueError):
                    self._stream.write("\n".join(lines) + "\n")
                    self._stream.flush()

    def _fill_in(self, waiting: list[str | _Prepared]) -> list[str]:
        lines = []
        stamped_ms, stamp = -1, ""
        for each in waiting:
            if isinstance(each, str):
                lines.append(each)
                continue
            line, now_s, duration_ms = each
            now_ms = int(now_s * 1000)
            if now_ms != stamped_ms:
                stamped_ms, stamp = now_ms, cast(StampedFormatter, self.formatter).stamp(now_ms / 1000)
            # Of those that are answered out of memory dozens come in one millisecond.
            is_same = line.stamp is stamp and not duration_ms
            lines.append(line.text if is_same else line.filled_in(stamp, duration_ms))
        return lines

    def close(self) -> None:
        """Write all that waits, and take nothing more."""
        self._ended.set()
        self._has_lines.set()
        self.flush()
        super().close()

    def _write_on(self) -> None:
        while not self._ended.is_set():
            self._has_lines.wait()
            self._ended.wait(self._gather_s)
            self._has_lines.clear()
            self._is_told = False  # before the lines are taken: one that comes after it tells again
            self.flush()
