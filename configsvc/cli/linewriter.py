"""A log handler that keeps the writing of lines off the path of requests."""

from __future__ import annotations

import contextlib
import itertools
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
    """A line of which only the time and a duration are missing; one object for all lines that are alike."""

    __slots__ = ("at_once", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at_once = text.replace(_DURATION, str(0.0))
        """The same for what took no time."""


_Waiting = str | int | PreparedLine | tuple[PreparedLine, float]
# A whole line; the time in ms of the prepared lines that follow; one of them; one with its duration in ms.


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
        self._waiting: deque[_Waiting] = deque()  # whose steps are atomic, so that nobody waits
        self._from_s = self._until_s = 0.0  # prepared lines of this time need no new stamp
        self._stamp = ""  # of the prepared line written last; guarded by `_writing`
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

    def prepare_alike(self, line: PreparedLine, text: str, other: str) -> PreparedLine:
        """Return a line as `line`, with `other` where it has `text`."""
        return PreparedLine(line.text.replace(text, other))

    def write_line(self, line: PreparedLine, duration_ms: float, times: int = 1) -> None:
        """Take a prepared line as of now, so many times; it is filled in when it is written.

        Used by one thread only.
        """
        waiting = self._waiting
        fitting = min(times, self._max_waiting - len(waiting))
        if fitting < times:
            self._drop(times - max(fitting, 0))
            if fitting <= 0:
                return
        now_s = time.time()
        if not self._from_s <= now_s < self._until_s:
            now_ms = int(now_s * 1000)
            self._from_s, self._until_s = now_ms / 1000, (now_ms + 1) / 1000
            waiting.append(now_ms)
        waiting.extend(itertools.repeat((line, duration_ms) if duration_ms else line, fitting))
        if not self._is_told:
            self._is_told = True
            self._has_lines.set()

    def _take(self, line: str) -> None:
        if len(self._waiting) >= self._max_waiting:
            self._drop()
            return
        self._waiting.append(line)
        if not self._is_told:
            self._is_told = True
            self._has_lines.set()

    def _drop(self, lines: int = 1) -> None:
        with self.lock or contextlib.nullcontext():
            self._dropped += lines

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

    def _fill_in(self, waiting: list[_Waiting]) -> list[str]:
        # Thousands at a time, and the event loop waits meanwhile: what is alike is filled in once.
        lines: list[str] = []
        last, text = None, ""
        for each in waiting:
            if each is last:
                lines.append(text)
            elif isinstance(each, PreparedLine):
                last, text = each, each.at_once.replace(_STAMP, self._stamp)
                lines.append(text)
            elif isinstance(each, str):
                lines.append(each)
            elif isinstance(each, int):
                last, self._stamp = None, cast(StampedFormatter, self.formatter).stamp(each / 1000)
            else:
                line, duration_ms = each
                lines.append(line.text.replace(_STAMP, self._stamp).replace(_DURATION, str(duration_ms)))
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
