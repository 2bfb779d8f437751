"""Durable writes straight into the store, beside its two rivals in the same rounds."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.corpus import document, document_path
from bench.repositories import commit_count, settle
from bench.rivals import GitCommandRival, GitPythonRival
from bench.samples import Figures, Round, run_clients
from bench.scale import Bench
from bench.table import Goal, Report, Table, ms, number, ratio
from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.store.base import View, Write
from configsvc.store.gitstore import GitStore

WAIT_S = 60.0
LEAST_ALONE = 150
LEAST_TOGETHER = 1500
LEAST_RATIO = 30
GOALS_FROM_SERVICES = 10_000


@dataclass
class Turns:
    """All rounds of one size: method to what it did."""

    ours: dict[int, list[Round]] = field(default_factory=dict)
    gitpython: list[Round] = field(default_factory=list)
    command: list[Round] = field(default_factory=list)


def measure(bench: Bench) -> Report:
    """Return how many writes land in a second, and how that compares."""
    table = Table(
        "Durable writes, the store alone",
        ("services", "writer", "clients", "commits/s", "p50 ms", "p99 ms", "x GitPython", "x git"),
    )
    report = Report([table])
    for size in bench.scale.sizes:
        turns = _take_turns(bench, size)
        _add_rows(table, size, turns)
        report.goals.extend(_goals(bench, size, turns))
    report.tables.append(_sustained(bench))
    return report


def write_some(store: GitStore, services: int, clients: int, seconds: float, seed: int) -> Round:
    """Let `clients` threads write to random services and wait for each write; return what they saw."""
    chances = [random.Random(f"{seed}-{clients}-{client}") for client in range(clients)]

    def write(client: int, _turn: int) -> None:
        chance = chances[client]
        place = chance.randrange(services)
        content = document(place, chance.getrandbits(60))
        store.submit(Write(PutPlan(document_path(place), content), ANONYMOUS)).result(WAIT_S)

    return run_clients(clients, seconds, write)


class PutPlan:
    """Puts one document, whatever was there."""

    def __init__(self, path: str, content: bytes) -> None:
        self._path = path
        self._content = content

    def __call__(self, view: View) -> Plan:
        view.find(self._path.removesuffix(".json"))
        return Plan({self._path: self._content}, "Update\n")


def _take_turns(bench: Bench, size: int) -> Turns:
    scale, turns = bench.scale, Turns()
    root = bench.repositories.services(size)
    gitpython = GitPythonRival(bench.repositories.services(size), size)
    command = GitCommandRival(bench.repositories.services(size), size)
    before = commit_count(root)
    with GitStore.open(root) as store:
        for turn in range(scale.rounds):
            bench.say(f"writes: {size} services, round {turn + 1} of {scale.rounds}")
            for clients in scale.clients:
                round_ = write_some(store, size, clients, scale.round_s, seed=turn)
                turns.ours.setdefault(clients, []).append(round_)
                _calm_down(store, root)
            turns.gitpython.append(gitpython.run(scale.rival_s, seed=turn))
            turns.command.append(command.run(scale.rival_s, seed=turn))
    gitpython.close()
    command.close()
    landed = sum(len(round_.latencies_ms) for rounds in turns.ours.values() for round_ in rounds)
    check_landed(root, before, landed)
    return turns


def check_landed(root: Path, before: int, acknowledged: int) -> None:
    """Raise unless each acknowledged write is one commit: figures of lost writes are no figures."""
    found = commit_count(root) - before
    if found != acknowledged:
        raise RuntimeError(f"commits: {found} (expected: {acknowledged}, one for each acknowledged write)")


def _calm_down(store: GitStore, root: Path) -> None:
    _bring_tree_to_head(store)
    settle(root)


def _add_rows(table: Table, size: int, turns: Turns) -> None:
    gitpython, command = Figures.of(turns.gitpython), Figures.of(turns.command)
    for clients, rounds in turns.ours.items():
        table.add(*_row(size, "configsvc store, durable", clients, Figures.of(rounds), gitpython, command))
    table.add(*_row(size, GitPythonRival.name, 1, gitpython, gitpython, command))
    table.add(*_row(size, GitCommandRival.name, 1, command, gitpython, command))


def _row(
    size: int, name: str, clients: int, figures: Figures, gitpython: Figures, command: Figures
) -> tuple[str, ...]:
    return (
        number(size),
        name,
        number(clients),
        number(figures.rate),
        ms(figures.p50_ms),
        ms(figures.p99_ms),
        ratio(figures.rate, gitpython.rate),
        ratio(figures.rate, command.rate),
    )


def _goals(bench: Bench, size: int, turns: Turns) -> list[Goal]:
    usual, largest = bench.scale.usual_size, bench.scale.sizes[-1]
    if size not in (usual, largest) or usual < GOALS_FROM_SERVICES:
        return []
    share = 1.0 if size == usual else 0.5
    rates = {clients: Figures.of(rounds).rate for clients, rounds in turns.ours.items()}
    fewest, most = min(rates), max(rates)
    goals = [
        Goal.least(f"store, {number(size)} services, {fewest} client", rates[fewest], LEAST_ALONE * share),
        Goal.least(f"store, {number(size)} services, {most} clients", rates[most], LEAST_TOGETHER * share),
    ]
    if size == usual:
        times = rates[fewest] / Figures.of(turns.gitpython).rate
        goals.append(Goal.least(f"x GitPython, {number(size)} services, 1 client", times, LEAST_RATIO, "x"))
    return goals


def _sustained(bench: Bench) -> Table:
    """Return what writing without a pause comes to, repacks and the working tree included."""
    scale, size = bench.scale, bench.scale.usual_size
    table = Table(
        f"Durable writes without a pause for {scale.sustained_s:g} s, {number(size)} services",
        ("clients", "commits/s", "p50 ms", "p99 ms", "slowest ms", "tree at head after s"),
        notes=(
            "The store alone, repacks included.",
            "The last column is how long after the last write the working tree and the index are at head.",
        ),
    )
    for clients in (scale.clients[0], scale.clients[-1]):
        bench.say(f"writes: {size} services, {clients} clients for {scale.sustained_s:g} s")
        root = bench.repositories.services(size)
        with GitStore.open(root) as store:
            figures = Figures.of([write_some(store, size, clients, scale.sustained_s, seed=clients)])
            ended = time.perf_counter()
            _bring_tree_to_head(store)
            behind_s = time.perf_counter() - ended
        latencies = (ms(figures.p50_ms), ms(figures.p99_ms), ms(figures.slowest_ms))
        table.add(number(clients), number(figures.rate), *latencies, f"{behind_s:.1f}")
    return table


def _bring_tree_to_head(store: GitStore) -> None:
    if not store.flush(WAIT_S):
        raise RuntimeError(f"working tree: not at head after {WAIT_S:.0f} s")
