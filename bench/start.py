"""How long a server takes from the start of its process to the line that says it is ready."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
from pathlib import Path

from bench.load import Job, finish_load, start_load
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, number

LOAD_S = 1.5
CLIENTS = 8
MOST_WITH_INDEX_S = 2.0
MOST_WITHOUT_S = 8.0
MOST_AFTER_KILL_S = 1.0


def measure(bench: Bench) -> Report:
    """Return how long starts take after a stop, without the saved index, and after kill -9."""
    services, commits = bench.scale.history
    restarted = bench.scale.restart_services
    table = Table(
        "Start, from the process to the line that says it is ready",
        ("services", "commits", "state", "median s", "slowest s"),
        notes=("The files are in the system's cache, as they are after a restart of the process alone.",),
    )
    root = bench.repositories.history(services, commits)
    with ServerProcess(root):
        pass  # recovery and the first saved index are not what is measured
    with_index = [_start(bench, root) for _ in range(bench.scale.starts)]
    without = [_start_without_index(bench, root) for _ in range(bench.scale.starts)]
    killed = _starts_after_kill(bench, restarted)
    counts = number(services), number(commits)
    _add(table, *counts, "with the saved version index", with_index)
    _add(table, *counts, "without it", without)
    _add(table, number(restarted), "", f"after kill -9 under {CLIENTS} writing clients", killed)
    if commits < 100_000:
        return Report([table])
    place = f"{number(services)} services, {number(commits)} commits"
    goals = [
        _goal(f"start, {place}", with_index, MOST_WITH_INDEX_S),
        _goal(f"start without the saved index, {place}", without, MOST_WITHOUT_S),
        _goal(f"ready after kill -9, {number(restarted)} services", killed, MOST_AFTER_KILL_S),
    ]
    return Report([table], goals)


def _start(bench: Bench, root: Path) -> float:
    bench.say("start: with the saved version index")
    with ServerProcess(root) as server:
        server.readiness()
        return server.start_s


def _start_without_index(bench: Bench, root: Path) -> float:
    bench.say("start: without the saved version index")
    (root / ".git/configsvc/versions").unlink()
    with ServerProcess(root) as server:
        server.readiness()
        return server.start_s


def _starts_after_kill(bench: Bench, services: int) -> list[float]:
    root = bench.repositories.services(services)
    times = []
    for turn in range(bench.scale.starts):
        bench.say(f"start: after kill -9, {turn + 1} of {bench.scale.starts}")
        server = ServerProcess(root)
        load = start_load(
            Job(server.port, CLIENTS, 60.0, seed=turn, services=services, writes=True, may_break=True)
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            load.wait(LOAD_S)
        server.kill()
        finish_load(load)
        with ServerProcess(root) as again:
            again.readiness()
            times.append(again.start_s)
    return times


def _add(table: Table, services: str, commits: str, state: str, times: list[float]) -> None:
    table.add(services, commits, state, f"{statistics.median(times):.2f}", f"{max(times):.2f}")


def _goal(what: str, times: list[float], bound: float) -> Goal:
    return Goal.below(what, statistics.median(times), bound, "s")
