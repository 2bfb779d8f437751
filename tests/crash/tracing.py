"""System calls of a running server, as strace(1) shows them, and whether they keep the promise of a sync.

The audit follows every file below `objects` and `refs`: what was written must
be synced before it is renamed into place, and the folder synced after.  At the
moment an answer leaves, all that was renamed for its revision must be so.
"""

from __future__ import annotations

import bisect
import functools
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "openat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,"
    "truncate,ftruncate,sendto,sendmsg"
)
MOST_TEXT = 2000
"""Bytes of an argument that are shown; the head of an answer is shorter."""
COMPLETE_WITHIN_S = 20.0

_LINE = re.compile(r"(?P<thread>\d+) +(?P<time>[\d.]+) (?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?)(?:\) += (?P<result>-?\d+).*| <unfinished \.\.\.>)$")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<arguments>.*)\) += (?P<result>-?\d+)")
_DESCRIPTOR = re.compile(r"\d+<(?P<path>[^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_REVISION = re.compile(r"config-revision: (\d+)", re.IGNORECASE)
_COMMIT_ID = re.compile(r'"([0-9a-f]{40})\\n"')
_WRITES = ("write", "pwrite64", "writev", "ftruncate")
_SENDS = ("write", "writev", "sendto", "sendmsg")


def trace_command(output: Path) -> list[str]:
    """Return the command that traces what follows it; the process keeps its own id."""
    return [
        "strace",
        "-D",
        "-f",
        "-ttt",
        "-y",
        "-s",
        str(MOST_TEXT),
        "-e",
        f"trace={CALLS}",
        "-o",
        str(output),
    ]


@functools.cache
def why_no_tracing() -> str:
    """Return why processes cannot be traced here; empty when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace cannot trace: {tried.stderr.strip()}" if tried.returncode else ""


def read_trace(output: Path, pid: int) -> str:
    """Return the trace of a process that has ended, once it is complete."""
    give_up_at = time.monotonic() + COMPLETE_WITHIN_S
    while not re.search(rf"^{pid} .*\+\+\+ (exited|killed)", text := output.read_text(), re.MULTILINE):
        assert time.monotonic() < give_up_at, "strace did not finish"
        time.sleep(0.02)
    return text


@dataclass(frozen=True)
class Call:
    """One system call; `begin` and `end` are lines of the trace."""

    name: str
    arguments: str
    result: int
    begin: int
    end: int

    @property
    def path(self) -> str:
        """Path of the first descriptor; empty when it has none."""
        match = _DESCRIPTOR.match(self.arguments)
        return match["path"] if match else ""

    @property
    def texts(self) -> list[str]:
        """The texts among the arguments."""
        return _TEXT.findall(self.arguments)


def parse_calls(trace: str) -> Iterator[Call]:
    """Yield the calls that returned, in no order."""
    begun: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(trace.splitlines()):
        told = _LINE.match(line)
        if told is None:
            continue
        thread, rest = told["thread"], told["rest"]
        if resumed := _RESUMED.match(rest):
            if thread in begun:
                begin, name, arguments = begun.pop(thread)
                yield Call(name, arguments + resumed["arguments"], int(resumed["result"]), begin, number)
        elif call := _CALL.match(rest):
            if call["result"] is None:
                begun[thread] = (number, call["name"], call["arguments"])
            else:
                yield Call(call["name"], call["arguments"], int(call["result"]), number, number)


@dataclass
class Move:
    """A file renamed into place; `synced` once its folder is."""

    path: str
    at: int
    synced: bool = False


@dataclass
class SyncAudit:
    """What a trace says of syncs.

    Args:
        repository: The `.git` folder, without symbolic links.
        revisions: Commit id to revision.
        start: Revision at the beginning of the trace.
        batches: Newest revision of each batch to what was renamed for it.
        answers: Revisions that answers named, in the order they left.
        violations: Broken promises, a sentence each.
    """

    repository: str
    revisions: Mapping[str, int]
    start: int
    answers: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    batches: dict[int, list[Move]] = field(default_factory=dict)
    _dirty: dict[str, int] = field(default_factory=dict)
    _moves: list[Move] = field(default_factory=list)
    _locked: str = ""

    def run(self, trace: str) -> SyncAudit:
        """Follow a whole trace; return this audit."""
        events = []
        for call in parse_calls(trace):
            if call.result < 0:
                continue
            if call.name in _SENDS and _TEXT.search(call.arguments) and call.texts[0].startswith("HTTP/1.1 "):
                events.append((call.begin, self._answered, call))
            elif call.name in _WRITES and self._is_ours(call.path):
                events.append((call.begin, self._written, call))
            elif call.name in ("fsync", "fdatasync"):
                events.append((call.end, self._synced, call))
            elif call.name.startswith("rename"):
                events.append((call.end, self._renamed, call))
        for _, follow, call in sorted(events, key=lambda event: event[0]):
            follow(call)
        return self

    def _is_ours(self, path: str) -> bool:
        return path.startswith((f"{self.repository}/objects/", f"{self.repository}/refs/"))

    def _written(self, call: Call) -> None:
        self._dirty[call.path] = call.begin
        commit_id = _COMMIT_ID.search(call.arguments)
        if call.path.endswith("/refs/heads/main.lock") and commit_id:
            self._locked = commit_id[1]

    def _synced(self, call: Call) -> None:
        if self._dirty.get(call.path, call.begin) < call.begin:
            del self._dirty[call.path]
        for move in self._moves:
            if os.path.dirname(move.path) == call.path and move.at < call.begin:
                move.synced = True

    def _renamed(self, call: Call) -> None:
        source, target = (os.path.join(self._folder(call), text) for text in call.texts[:2])
        if not self._is_ours(target):
            return
        if self._dirty.pop(source, None) is not None:
            self.violations.append(f"line {call.end}: {target} renamed into place before it was synced")
        self._moves.append(Move(target, call.end))
        if target.endswith("/refs/heads/main"):
            self.batches[self.revisions[self._locked]] = self._moves[sum(map(len, self.batches.values())) :]

    def _folder(self, call: Call) -> str:
        match = re.search(r"(?:AT_FDCWD|\d+)<([^>]*)>", call.arguments)
        return match[1] if match else ""

    def _answered(self, call: Call) -> None:
        named = _REVISION.search(call.texts[0])
        if named is None:
            return
        revision = int(named[1])
        self.answers.append(revision)
        if revision <= self.start:
            return
        landed = sorted(self.batches)
        place = bisect.bisect_left(landed, revision)
        if place == len(landed):
            self.violations.append(f"line {call.begin}: revision {revision} answered before main was there")
        for move in (move for number in landed[: place + 1] for move in self.batches[number]):
            if not move.synced:
                self.violations.append(
                    f"line {call.begin}: revision {revision} answered before {move.path} was synced"
                )
