"""Durable writes over the whole HTTP path: a real server, clients in another process."""

from __future__ import annotations

from bench.corpus import SERVICES_A_FOLDER
from bench.load import Job, run_load
from bench.memory import processor_ms
from bench.repositories import commit_count, settle
from bench.rivals import GitCommandRival
from bench.samples import Figures, Round
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Report, Table, ms, number, ratio
from bench.writes import check_landed

_NOTES = (
    "PATCH /config?service=NAME with documents of 1 KB; every client has one connection, kept open.",
    f"Services lie in folders of {SERVICES_A_FOLDER}.",
    "Server and clients are two processes that share the cores; CPU is what each spends on a write.",
    "Python computes on one core at a time, so 1000 by the server's CPU ms bounds the commits/s here.",
    "What the store itself does is in the tables above.",
)


def measure(bench: Bench) -> Report:
    """Return how many writes are answered in a second."""
    figures = ("commits/s", "p50 ms", "p99 ms", "server CPU ms", "clients CPU ms", "x git")
    table = Table("Durable writes over HTTP", ("services", "writer", "clients", *figures), notes=_NOTES)
    for size in bench.scale.sizes:
        _take_turns(bench, size, table)
    return Report([table])


def _take_turns(bench: Bench, size: int, table: Table) -> None:
    scale = bench.scale
    root = bench.repositories.services(size)
    before = commit_count(root)
    rival = GitCommandRival(bench.repositories.services(size), size)
    ours: dict[int, list[Round]] = {clients: [] for clients in scale.clients}
    cpu_ms = dict.fromkeys(scale.clients, 0.0)
    rounds: list[Round] = []
    with ServerProcess(root) as server:
        for turn in range(scale.rounds):
            bench.say(f"http: {size} services, round {turn + 1} of {scale.rounds}")
            for clients in scale.clients:
                began_ms = processor_ms(server.pid)
                ours[clients].append(_write(server, clients, scale.round_s, size, turn))
                cpu_ms[clients] += processor_ms(server.pid) - began_ms
                settle(root)
            rounds.append(rival.run(scale.rival_s, seed=turn))
    check_landed(root, before, sum(len(each.latencies_ms) for turns in ours.values() for each in turns))
    command = Figures.of(rounds)
    for clients, seen in ours.items():
        count = sum(len(each.latencies_ms) for each in seen)
        clients_cpu_s = sum(each.clients_cpu_s for each in seen)
        cpu = (ms(cpu_ms[clients] / count), ms(clients_cpu_s * 1000 / count))
        _add_row(table, size, "configsvc serve", clients, Figures.of(seen), cpu, command)
    _add_row(table, size, GitCommandRival.name, 1, command, ("", ""), command)


def _write(server: ServerProcess, clients: int, seconds: float, size: int, turn: int) -> Round:
    job = Job(server.port, clients, seconds, seed=turn * 1000 + clients, services=size, writes=True)
    return run_load(job)


def _add_row(
    table: Table,
    size: int,
    name: str,
    clients: int,
    figures: Figures,
    cpu: tuple[str, str],
    command: Figures,
) -> None:
    table.add(
        number(size),
        name,
        number(clients),
        number(figures.rate),
        ms(figures.p50_ms),
        ms(figures.p99_ms),
        *cpu,
        ratio(figures.rate, command.rate),
    )
