"""Reads of versions of any age, from a long history."""

from __future__ import annotations

import random

from bench.load import Job, run_load
from bench.repositories import pack_count
from bench.samples import Figures, Round, run_clients
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, ms, number
from bench.writes import write_some
from configsvc.store.gitstore import GitStore

MOST_P99_MS = 5.0
CLIENTS = (1, 8)
_TARGETS = 20_000
_HTTP_S_A_READ = 0.0005

Version = tuple[str, int]


def measure(bench: Bench) -> Report:
    """Return how long a version takes that nobody has asked for lately."""
    services, commits = bench.scale.history
    root = bench.repositories.history(services, commits)
    table = Table(
        f"Reads of old versions, {number(services)} services, {number(commits)} commits",
        ("path", "clients", "reads/s", "p50 ms", "p99 ms"),
    )
    goals: list[Goal] = []
    with GitStore.open(root) as store:
        _add_packs(store, services, bench.scale.packs)
        versions = _sample(store, _TARGETS)
        for clients in CLIENTS:
            bench.say(f"reads: the store alone, {clients} clients")
            seen = _read_store(store, versions, clients, bench.scale.reads)
            _add(table, goals, "the store alone", clients, seen)
    with ServerProcess(root) as server:
        for clients in CLIENTS:
            bench.say(f"reads: over HTTP, {clients} clients")
            seen = _read_http(server, versions, clients, bench)
            _add(table, goals, "GET /config?service=&version=", clients, seen)
    table.notes = (f"Versions are picked at random from the whole history; {pack_count(root)} packs.",)
    return Report([table], goals if commits >= 100_000 else [])


def _add_packs(store: GitStore, services: int, count: int) -> None:
    """Write for as many packs as there are between two repacks."""
    for turn in range(count):
        write_some(store, services, 1, 0.0, seed=turn)


def _sample(store: GitStore, count: int) -> list[Version]:
    snapshot = store.snapshot()
    services = list(snapshot.services())
    lengths = [len(snapshot.entries(service)) for service in services]
    chance = random.Random(0)
    chosen = chance.choices(range(len(services)), weights=lengths, k=count)
    return [(services[place], chance.randrange(lengths[place])) for place in chosen]


def _read_store(store: GitStore, versions: list[Version], clients: int, reads: int) -> Round:
    chances = [random.Random(client) for client in range(clients)]
    snapshot = store.snapshot()

    def read(client: int, _turn: int) -> None:
        service, version = chances[client].choice(versions)
        entry = snapshot.entry(service, version)
        if entry is None or entry.blob_id is None or not snapshot.blob(entry.blob_id):
            raise RuntimeError(f"version {version} of {service}: not there")

    return run_clients(clients, 0.0, read, at_least=reads // clients, at_most=reads // clients)


def _read_http(server: ServerProcess, versions: list[Version], clients: int, bench: Bench) -> Round:
    targets = tuple(f"/config?service={service}&version={version}" for service, version in versions)
    return run_load(Job(server.port, clients, bench.scale.reads * _HTTP_S_A_READ, targets=targets))


def _add(table: Table, goals: list[Goal], path: str, clients: int, seen: Round) -> None:
    figures = Figures.of([seen])
    table.add(path, number(clients), number(figures.rate), ms(figures.p50_ms), ms(figures.p99_ms))
    if clients == CLIENTS[0]:
        goals.append(Goal.below(f"old version, p99, {path}", figures.p99_ms, MOST_P99_MS, "ms"))
