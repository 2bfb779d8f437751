"""A log handler that keeps the writing of lines off the path of requests."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TextIO

MAX_WAITING_LINES = 10_000
GATHER_S = 0.02
"""Seconds that lines are gathered for one write; each write of its own would cost a switch of threads."""


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
        self._waiting: list[str] = []  # guarded by the handler's own lock, as is the count
        self._dropped = 0
        self._writing = threading.Lock()  # keeps batches in order
        self._has_lines = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        line = self.format(record)
        if len(self._waiting) >= self._max_waiting:
            self._dropped += 1
            return
        self._waiting.append(line)
        if not self._has_lines.is_set():
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
                lines, self._waiting = self._waiting, []
                dropped, self._dropped = self._dropped, 0
            if dropped:
                lines.append(f"{dropped} lines were dropped: nobody read them")
            if lines:
                # Nobody reads this any more; there is no other place to say so.
                with contextlib.suppress(OSError, ValueError):
                    self._stream.write("\n".join(lines) + "\n")
                    self._stream.flush()

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
            self.flush()
