"""One program, started with its configuration, and restarted or signalled when that changes.

All that happens is an event in one queue, taken by the main thread: signals, the end of the program,
another version.  So no two of them meet halfway.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from types import FrameType
from typing import Literal

from configsvc.cli.handling import handled, heeded
from configsvc.cli.running.rendering import Given, Rendering
from configsvc.cli.running.variables import check_size
from configsvc.core.errors import RequestInvalid

FORWARDED = tuple(
    getattr(signal, name)
    for name in (
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGTERM",
        "SIGUSR1",
        "SIGUSR2",
        "SIGWINCH",
        "SIGALRM",
        "SIGCONT",
    )
)
_ENDING = frozenset((signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))
_OF_THE_TERMINAL = frozenset((signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH))
CANNOT_RUN = 126
NOT_FOUND = 127
SIGNALLED = 128
AGAIN_S = 1.0
"""Pause before a file that could not be written is written again, in seconds."""

_log = logging.getLogger("configsvc.exec")

OnChange = Literal["restart", "none"] | signal.Signals


@dataclass(frozen=True, slots=True)
class _Ended:
    child: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class _Overdue:
    child: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class _Survived:
    """A signal that may end a program was sent to this one, and long ago."""

    child: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class _Again:
    given: Given


_Event = Given | signal.Signals | _Ended | _Overdue | _Survived | _Again


class Supervisor:
    """Runs a command until it ends by itself.

    Args:
        on_change: What is done when there is another version.
        stop_signal: Asks the command to end, for a restart.
        grace_s: Seconds after which it is killed then; and after which one that was interrupted, and did not
            end, gets new versions again.
        withheld: Variables of this process that the command does not get.
    """

    def __init__(
        self,
        command: Sequence[str],
        rendering: Rendering,
        *,
        on_change: OnChange,
        stop_signal: signal.Signals,
        grace_s: float,
        withheld: Collection[str] = (),
    ) -> None:
        self._command = list(command)
        self._rendering = rendering
        self._on_change = on_change
        self._stop_signal = stop_signal
        self._grace_s = grace_s
        # As UTF-8 whatever the locale is; what was inherited is passed on byte for byte.
        unwanted = {name.encode() for name in withheld}
        self._inherited = {name: text for name, text in os.environb.items() if name not in unwanted}
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._given: Given | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._newest: Given | None = None
        self._is_restarting = False
        self._is_ending = False
        self._interruption: _Survived | None = None

    def tell(self, given: Given) -> None:
        """Note that there is another version; any thread may call it."""
        self._events.put(given)

    def run(self, given: Given) -> int:
        """Return the code to exit with: the command's; 128 and the number of the signal that ended it.

        Raises:
            RequestInvalid: The file cannot be written, or the variables are more than a program can get.
        """
        check_size(self._command, self._environ(given))
        self._rendering.place(given)
        self._given = self._newest = given
        with handled(heeded(FORWARDED), self._catch):
            code = self._start()
            while code is None:
                event = self._events.get()
                if isinstance(event, Given):
                    self._newest = event
                    self._take(event)
                elif isinstance(event, _Again):
                    if event.given is self._newest:
                        self._take(event.given, is_repeated=True)
                elif isinstance(event, _Survived):
                    self._resume(event)
                elif isinstance(event, _Ended):
                    code = self._end(event.child)
                elif isinstance(event, _Overdue):
                    if event.child is self._child:
                        event.child.kill()
                else:
                    self._forward(event)
        return code

    def _start(self) -> int | None:
        """Start the command; return the code to exit with when that is not possible."""
        assert self._given is not None
        try:
            child = subprocess.Popen(self._command, env=self._environ(self._given))
        except FileNotFoundError:
            return self._refused("is not there", NOT_FOUND)
        except OSError as error:
            return self._refused(f"cannot be run: {error.strerror}", CANNOT_RUN)
        self._child, self._is_restarting = child, False
        threading.Thread(target=self._wait, args=[child], name="configsvc-wait", daemon=True).start()
        return None

    def _environ(self, given: Given) -> dict[bytes, bytes]:
        return self._inherited | {name.encode(): text.encode() for name, text in given.variables.items()}

    def _refused(self, why: str, code: int) -> int:
        _log.error("command: %r %s (expected: a program)", self._command[0], why)
        return code

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        child.wait()
        self._events.put(_Ended(child))

    def _take(self, given: Given, *, is_repeated: bool = False) -> None:
        if self._child is None or self._is_ending or self._on_change == "none":
            return
        try:
            check_size(self._command, self._environ(given))
        except RequestInvalid as error:
            _log.warning("version %d is not taken: %s", given.version, error.message)
            return
        try:
            self._rendering.place(given)
        except RequestInvalid as error:
            if not is_repeated:
                _log.warning("version %d: %s; trying again", given.version, error.message)
            self._later(AGAIN_S, _Again(given))
            return
        self._given = given
        if self._on_change == "restart":
            self._stop(self._child)
        else:
            self._child.send_signal(self._on_change)

    def _stop(self, child: subprocess.Popen[bytes]) -> None:
        if self._is_restarting:
            return  # what is newest when it has ended is what it starts with
        self._is_restarting = True
        child.send_signal(self._stop_signal)
        self._later(self._grace_s, _Overdue(child))

    def _later(self, seconds: float, event: _Event) -> None:
        timer = threading.Timer(seconds, self._events.put, [event])
        timer.daemon = True
        timer.start()

    def _end(self, child: subprocess.Popen[bytes]) -> int | None:
        self._child = None
        if self._is_restarting and not self._is_ending:
            return self._start()
        code = child.returncode
        return SIGNALLED - code if code < 0 else code

    def _resume(self, survived: _Survived) -> None:
        """Go on with a program that an interruption did not end, such as a shell: give it what is newest."""
        if survived is not self._interruption or survived.child is not self._child:
            return
        self._is_ending, self._interruption = False, None
        if self._newest is not None and self._newest is not self._given:
            self._take(self._newest)

    def _forward(self, caught: signal.Signals) -> None:
        if caught in _ENDING:
            self._is_ending, was_ending = True, self._is_ending
            if caught is signal.SIGTERM:
                self._interruption = None
            elif self._child is not None and (self._interruption is not None or not was_ending):
                self._interruption = _Survived(self._child)
                self._later(self._grace_s, self._interruption)
        # The terminal tells every process in front of it, so the program knows already.
        if self._child is not None and not (caught in _OF_THE_TERMINAL and _is_in_front()):
            self._child.send_signal(caught)

    def _catch(self, number: int, _: FrameType | None) -> None:
        self._events.put(signal.Signals(number))


def _is_in_front() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
