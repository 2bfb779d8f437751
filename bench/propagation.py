"""Live configs in one process: how soon after a commit their callbacks are called."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.corpus import service_name
from bench.samples import percentile
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, ms, number
from configsvc.client import Change, Client, LiveConfig, LiveOptions

MOST_P50_MS = 10
MOST_P99_MS = 100
GOALS_FROM_CONFIGS = 200
_PAUSE_S = 0.02
_ALL_AT_ONCE = 10
_WAIT_S = 60.0
_TCP = Path("/proc/net/tcp")
_ESTABLISHED = "01"


def measure(bench: Bench) -> Report:
    """Return how long it takes from a commit to the callbacks of the configs that it changed."""
    configs, commits = bench.scale.live_configs, bench.scale.live_commits
    table = Table(
        f"Live configs, {number(configs)} in one process",
        (
            "commits of",
            "from the answer p50 ms",
            "p99 ms",
            "slowest ms",
            "from the start p50 ms",
            "connections",
        ),
        notes=(
            "From the answer to a write, or from its start, to the callback; the sync is between these two.",
            "Writer, server and configs share the cores; copies are kept on disk, synced, as by default.",
            "Connections of the client: one that watches, and what is left of reads.",
        ),
    )
    report = Report([table])
    repo = bench.repositories.services(bench.scale.sizes[0])
    with (
        ServerProcess(repo, "--log-level", "warning") as server,
        closing(_Writer(server.port)) as writer,
        Client(f"http://127.0.0.1:{server.port}", live=_kept(repo)) as client,
    ):
        names = [service_name(place) for place in range(configs)]
        writer.write(names)
        heard = _Heard([client.config(name) for name in names])
        bench.say(f"propagation: {commits} commits of one service")
        heard.wait_connected()
        for _ in range(commits):
            heard.expect(writer.write([random.choice(names)]), 1)
            time.sleep(_PAUSE_S)
        single = heard.taken()
        bench.say(f"propagation: {_ALL_AT_ONCE} commits of all services")
        for _ in range(_ALL_AT_ONCE):
            heard.expect(writer.write(names), configs)
        whole = heard.taken()
        writer.close()
        connections = _connections(server.port)
    for title, (answered, started) in (("one service", single), (f"all {number(configs)}", whole)):
        table.add(
            title,
            ms(percentile(answered, 50)),
            ms(percentile(answered, 99)),
            ms(answered[-1]),
            ms(percentile(started, 50)),
            str(connections),
        )
    if configs >= GOALS_FROM_CONFIGS:
        what = f"commit to callback, {number(configs)} live configs"
        answered = single[0]
        report.goals += [
            Goal.below(f"{what}, p50", round(percentile(answered, 50), 2), MOST_P50_MS, "ms"),
            Goal.below(f"{what}, p99", round(percentile(answered, 99), 2), MOST_P99_MS, "ms"),
            Goal.below(f"{what}, connections", connections, 3, ""),
        ]
    return report


def _kept(repo: Path) -> LiveOptions:
    return LiveOptions(cache_dir=repo.with_name(repo.name + ".copies"))


@dataclass(frozen=True, slots=True)
class _Write:
    """A write, with its times by the clock of this machine."""

    edition: int
    started_s: float
    answered_s: float


class _Writer:
    """Writes one edition after the other over a connection of its own."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT_S)
        self._edition = 0

    def write(self, names: list[str]) -> _Write:
        """Write a new edition of all these as one commit."""
        self._edition += 1
        value = {"edition": self._edition}
        changes = [{"op": "put", "service": name, "value": value} for name in names]
        body, headers = json.dumps({"changes": changes}), {"Content-Type": "application/json"}
        started_s = time.perf_counter()
        self._connection.request("POST", "/api/v1/commits", body, headers)
        answer = self._connection.getresponse()
        told = answer.read()
        answered_s = time.perf_counter()
        if answer.status not in (200, 201):
            raise RuntimeError(f"POST: {answer.status} (expected: 200 or 201): {told[:200]!r}")
        return _Write(self._edition, started_s, answered_s)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _Heard:
    """When each callback was called.

    Args:
        configs: All that are followed.
    """

    def __init__(self, configs: list[LiveConfig[Mapping[str, Any]]]) -> None:
        self._configs = configs
        self._lock = threading.Condition()  # guards what follows
        self._at_s: dict[int, list[float]] = {}
        self._answered_ms: list[float] = []
        self._started_ms: list[float] = []
        for config in configs:
            config.on_change(self._called)

    def wait_connected(self) -> None:
        """Wait until every config is watched."""
        give_up_s = time.monotonic() + _WAIT_S
        while not all(config.age_s == 0.0 for config in self._configs):
            if time.monotonic() > give_up_s:
                raise RuntimeError(f"propagation: no watch of all configs within {_WAIT_S:.0f} s")
            time.sleep(0.01)

    def expect(self, write: _Write, calls: int) -> None:
        """Wait for the callbacks of a write and take their times."""
        with self._lock:
            is_told = self._lock.wait_for(lambda: len(self._at_s.get(write.edition, ())) >= calls, _WAIT_S)
            if not is_told:
                raise RuntimeError(f"propagation: no {calls} callbacks within {_WAIT_S:.0f} s")
            for at_s in self._at_s.pop(write.edition):
                self._answered_ms.append(max(0.0, at_s - write.answered_s) * 1000)
                self._started_ms.append((at_s - write.started_s) * 1000)

    def taken(self) -> tuple[list[float], list[float]]:
        """Return the times so far, from answers and from starts, sorted, and begin anew."""
        found = sorted(self._answered_ms), sorted(self._started_ms)
        self._answered_ms, self._started_ms = [], []
        return found

    def _called(self, change: Change[Mapping[str, Any]]) -> None:
        now_s = time.perf_counter()
        with self._lock:
            self._at_s.setdefault(change.new["edition"], []).append(now_s)
            self._lock.notify_all()


def _connections(port: int) -> int:
    """Return how many connections to `port` of loopback are open."""
    lines = _TCP.read_text().splitlines()[1:]
    ends = [(line.split()[2], line.split()[3]) for line in lines]
    return sum(remote.endswith(f":{port:04X}") and state == _ESTABLISHED for remote, state in ends)
