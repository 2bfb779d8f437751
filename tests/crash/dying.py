"""A store in a process of its own that is killed just before a chosen operation of a chosen thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.store import swap
from configsvc.store.base import Write
from configsvc.store.disk import Disk
from configsvc.store.gitstore import GitStore
from tests.store.sparing import spare_files

WRITER = "configsvc-writer"
FOLLOWER = "configsvc-follower"
OPENING = "MainThread"
COMPARING = "configsvc-follower, from its start"
"""The comparison of the working tree with head that a follower begins with."""

LIFE_WITHIN_S = 60.0

_EVENTS = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "subprocess.Popen")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

Edits = dict[str, bytes | None]

# A fork server starts children from a process without threads, with the imports already done.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


def _is_written(place: object, _mode: object, flags: object) -> bool:
    """Return whether `open` makes or changes a file with a name; a number stands for one that is open."""
    if isinstance(place, int) or not isinstance(flags, int) or flags & os.O_TMPFILE == os.O_TMPFILE:
        return False
    return bool(flags & _WRITING)


@dataclass(frozen=True)
class Life:
    """How a process ended.

    Args:
        killed_before: The operation it was killed before; None when it lived to the end.
        acknowledged: Places, in what was asked, of the writes that were acknowledged.
        passed: Operations that came before, in order.
    """

    killed_before: str | None
    acknowledged: frozenset[int]
    passed: tuple[str, ...]


class Death:
    """Kills this process before operation number `nth` of one thread; counts from 0.

    A sync right after another one is not counted: for a process that is killed, nothing lies between them.
    """

    def __init__(self, thread: str, nth: int, tell: Callable[[object], None]) -> None:
        self.armed = False
        self._thread = thread
        self._left = nth
        self._last = ""
        self._tell = tell

    def watch(self) -> None:
        """Look at every file operation of this process from now on.  There is no way back."""
        tempfile.gettempdir()  # finds out by writing a file, once
        sys.addaudithook(self._audited)
        os.write = self._wrapped(os.write, "write", torn=True)
        os.fsync = self._wrapped(os.fsync, "fsync")
        swap._renameat2 = self._wrapped(swap._renameat2, "renameat2")

    def step(self, name: str) -> None:
        """Pass an operation, or die before it."""
        if self._is_due(name):
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_due(self, name: str) -> bool:
        if not self.armed or threading.current_thread().name != self._thread:
            return False
        if not self._last == name == "fsync":
            self._left -= 1
        self._last = name
        # Told in advance, since there is no time left afterwards.
        self.armed = False
        self._tell(name)
        self.armed = True
        return self._left < 0

    def _audited(self, event: str, given: tuple[Any, ...]) -> None:
        if event in _EVENTS or (event == "open" and _is_written(*given)):
            place = given[0] if isinstance(given[0], str | bytes | os.PathLike) else str(given[0])
            self.step(f"{event} {os.path.basename(os.fsdecode(place))}")

    def _wrapped(self, function: Any, name: str, *, torn: bool = False) -> Any:
        def call(*given: Any) -> Any:
            if self._is_due(name):
                if torn:
                    function(given[0], memoryview(given[1])[: len(given[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*given)

        return call


class _Gate:
    """Holds a first batch until the second is queued, which so becomes one; then steps count."""

    def __init__(self, death: Death, *, arms: bool) -> None:
        self.begun = threading.Event()
        self.queued = threading.Event()
        self._death = death
        self._arms = arms
        self._opened = False

    def step(self, name: str) -> None:
        if self._opened:
            self._death.step(f"after {name}")
            return
        self.begun.set()
        self.queued.wait()
        if name == "answered":
            self._opened, self._death.armed = True, self._arms


def live(
    root: Path, asked: Sequence[Edits], ids: Sequence[str], thread: str, nth: int, *, has_spares: bool = False
) -> Life:
    """Land `asked` as one batch in a process that is killed before operation `nth` of `thread`.

    Args:
        has_spares: Whether there are spare files for what it makes.
    """
    here, there = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_live, args=(there, root, asked, ids, thread, nth, has_spares))
    process.start()
    there.close()
    passed: list[str] = []
    acknowledged: set[int] = set()
    try:
        while here.poll(LIFE_WITHIN_S):
            told = here.recv()
            if isinstance(told, int):
                acknowledged.add(told)
            else:
                passed.append(told)
    except EOFError:
        pass
    process.join(LIFE_WITHIN_S)
    assert process.exitcode in (0, -signal.SIGKILL), f"exit code: {process.exitcode}"
    died = passed.pop() if process.exitcode else None
    return Life(died, frozenset(acknowledged), tuple(passed))


def write(edits: Edits, request_id: str) -> Write:
    """Return a write of exact edits."""
    return Write(lambda view: Plan(edits, _message(request_id)), ANONYMOUS, request_id, request_id)


def _message(request_id: str) -> str:
    return f"Change\n\nConfig-Request-Id: {request_id}\n"


def _live(
    told: Connection,
    root: Path,
    asked: Sequence[Edits],
    ids: Sequence[str],
    thread: str,
    nth: int,
    has_spares: bool,
) -> None:
    telling = threading.Lock()

    def tell(what: object) -> None:
        with telling:
            told.send(what)

    starts = thread in (OPENING, COMPARING)
    death = Death(FOLLOWER if thread == COMPARING else thread, nth, tell)
    death.watch()
    gate = _Gate(death, arms=not starts)
    death.armed = starts
    folder = root / ".git/configsvc/spare"
    with (
        spare_files(folder) if has_spares else nullcontext() as spares,
        GitStore.open(root, on_step=gate.step, disk=Disk(spares=spares)) as store,
    ):
        if thread != OPENING:
            assert store.flush(LIFE_WITHIN_S)
        death.armed = False
        store.submit(Write(lambda view: Plan({}, "Nothing\n"), ANONYMOUS))
        gate.begun.wait()
        futures = [store.submit(write(edits, each)) for edits, each in zip(asked, ids, strict=True)]
        gate.queued.set()
        for number, future in enumerate(futures):
            future.result(LIFE_WITHIN_S)
            tell(number)
        assert store.flush(LIFE_WITHIN_S)
