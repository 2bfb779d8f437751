"""Thousands of clients that wait: how soon they are told, what they cost, and what others notice."""

from __future__ import annotations

import http.client
import json
import re
import statistics
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.corpus import service_name
from bench.crowd import CrowdProcess
from bench.load import Job, finish_load, run_load, start_load
from bench.memory import processor_ms, resident_megabytes
from bench.samples import percentile
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, ms, number

MOST_LAST_TOLD_MS = 200
MOST_KB = 12
MOST_READ_MS = 20
MOST_KEPT_PERCENT = 10
GOALS_FROM_WATCHERS = 10_000
_COMMIT_EVERY_S = 1.5
_SETTLING_S = 6.0
_WAIT_S = 60.0
_READ_PAUSE_S = 0.005
_READ_PATH = f"/api/v1/configs/{service_name(1)}"
_COMMIT_PAUSE_S = 0.5
_WRITES_BEFORE = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """How clients wait.

    Args:
        ask: Returns the request of one, given the ETag of what it knows.
        told: Mark of an answer by which it is told.
        waiting: Mark of an answer by which it is seen to wait; empty: there is none.
        again: It asks anew once it was told.
    """

    title: str
    ask: Callable[[str], str]
    told: str
    waiting: str
    again: bool


def streams() -> Kind:
    """Return what clients of the event stream do."""
    head = "GET /api/v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return Kind("event streams", lambda tag: head, "event: change", "retry:", again=False)


def polls() -> Kind:
    """Return what clients of one document do that wait for its next version."""
    path = f"/api/v1/configs/{service_name(0)}?wait=60"

    def ask(tag: str) -> str:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"

    return Kind("long polls", ask, "HTTP/1.1 200", "", again=True)


def measure(bench: Bench) -> Report:
    """Return how soon the last of many watchers is told, and what they cost."""
    watchers = bench.scale.watchers
    columns = (
        *("clients", "last told, median ms", "slowest ms", "server's CPU ms", "KB each", "reads p99 ms"),
        *("MB before", "MB after"),
    )
    table = Table(
        f"Watches, {number(watchers)} clients at one time",
        columns,
        notes=(
            "From the start of the PUT to the arrival at the last client: one process with bare sockets.",
            "They share the two cores; the server's CPU is what it computes for one commit, kernel included.",
            "Reads are made one after the other by a process of their own, with pauses of 5 ms, meanwhile.",
            "Each commit waits until all clients wait.",
            "Memory before: after some writes and reads; after: 6 s after all have hung up.",
        ),
    )
    report = Report([table])
    for kind in (streams(), polls()):
        bench.say(f"watch: {watchers} {kind.title}")
        root = bench.repositories.services(bench.scale.sizes[0])
        found = gather(root, kind, watchers, bench.scale.crowd_s)
        table.add(kind.title, *found.cells())
        if watchers >= GOALS_FROM_WATCHERS:
            report.goals.extend(found.goals(kind.title))
    return report


@dataclass(slots=True)
class Found:
    """What one crowd saw; times in ms, memory in MB."""

    clients: int
    before: float
    during: float = 0.0
    after: float = 0.0
    told_ms: list[float] = field(default_factory=list)
    computed_ms: list[float] = field(default_factory=list)
    reads_ms: list[float] = field(default_factory=list)

    @property
    def kilobytes(self) -> float:
        """Memory of the server for each client."""
        return (self.during - self.before) * 1000 / self.clients

    @property
    def kept_percent(self) -> float:
        """Memory that the server has more of when they have left."""
        return (self.after / self.before - 1) * 100

    def cells(self) -> tuple[str, ...]:
        """Return the cells of its row after the first."""
        told = sorted(self.told_ms)
        return (
            ms(percentile(told, 50)),
            ms(told[-1]),
            ms(statistics.median(self.computed_ms)),
            f"{self.kilobytes:.1f}",
            ms(percentile(sorted(self.reads_ms), 99)),
            number(round(self.before)),
            number(round(self.after)),
        )

    def goals(self, title: str) -> list[Goal]:
        """Return what was promised of it."""
        what = f"{number(self.clients)} {title}"
        told = percentile(sorted(self.told_ms), 50)
        reads = percentile(sorted(self.reads_ms), 99)
        return [
            Goal.below(f"{what}, last told", round(told), MOST_LAST_TOLD_MS, "ms"),
            Goal.below(f"{what}, memory each", round(self.kilobytes, 1), MOST_KB, "KB"),
            Goal.below(f"{what}, reads meanwhile, p99", round(reads, 1), MOST_READ_MS, "ms"),
            Goal.below(
                f"{what}, memory kept when they left", round(self.kept_percent), MOST_KEPT_PERCENT, "%"
            ),
        ]


def gather(root: Path, kind: Kind, watchers: int, crowd_s: float) -> Found:
    """Have clients wait for what a server has, and commit while they do; return what they saw.

    Args:
        crowd_s: Seconds of commits, and of reads beside them.
    """
    with (
        ServerProcess(root, "--log-level", "warning") as server,
        CrowdProcess(server.port, watchers, kind.told, kind.waiting) as crowd,
    ):
        return _measure(server, crowd, kind, watchers, crowd_s)


def _measure(server: ServerProcess, crowd: CrowdProcess, kind: Kind, watchers: int, crowd_s: float) -> Found:
    put = _writer(server.port)
    tag = ""
    for edition in range(-_WRITES_BEFORE, 1):  # what is made at the first use is none of the crowd's
        tag = put(edition)
    run_load(Job(server.port, 8, 1.0, targets=(_READ_PATH,)))
    _wait_for_all(server.port, 0)
    found = Found(watchers, resident_megabytes(server.pid))
    crowd.do("gather", kind.ask(tag))
    _wait_for_all(server.port, watchers)
    found.during = resident_megabytes(server.pid)
    reads = start_load(Job(server.port, 1, crowd_s, targets=(_READ_PATH,), pause_s=_READ_PAUSE_S))
    # Not until they have ended: they may wait for somebody to take what they found.
    end_s = time.monotonic() + crowd_s
    while len(found.told_ms) < crowd_s / _COMMIT_EVERY_S or time.monotonic() < end_s:
        crowd.order("watch")
        computed_ms, started_s = processor_ms(server.pid), time.monotonic()
        tag = put(len(found.told_ms) + 1)
        found.told_ms.append((crowd.done() - started_s) * 1000)
        found.computed_ms.append(processor_ms(server.pid) - computed_ms)
        if kind.again:
            crowd.do("ask", kind.ask(tag))
            _wait_for_all(server.port, watchers)
        time.sleep(_COMMIT_PAUSE_S)
    found.reads_ms += finish_load(reads).latencies_ms
    crowd.do("leave")
    time.sleep(min(_SETTLING_S, crowd_s))
    found.after = resident_megabytes(server.pid)
    return found


def _wait_for_all(port: int, watchers: int) -> None:
    """Wait until the server says that all clients wait: they take turns, they do not storm it."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_WAIT_S) as answer:
            found = re.search(r"^configsvc_watchers (\S+)$", answer.read().decode(), re.MULTILINE)
        if found is not None and float(found[1]) >= watchers:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"watch: not all clients wait within {_WAIT_S:.0f} s")
        time.sleep(0.1)


def _writer(port: int) -> Callable[[int], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT_S)

    def put(edition: int) -> str:
        body = json.dumps({"edition": edition, "at": time.time()})
        headers = {"Content-Type": "application/json"}
        connection.request("PUT", f"/api/v1/configs/{service_name(0)}", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"PUT: {answer.status} (expected: 200)")
        return answer.headers["ETag"]

    return put
