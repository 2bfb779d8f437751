"""Measure what the pictures show: one document of 1 KB, one process each, clients on the same cores."""

from __future__ import annotations

import contextlib
import statistics
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from bench import peers, wrk
from bench.corpus import service_name
from bench.curves.chart import Chart, Curve
from bench.repositories import Repositories
from bench.server import ServerProcess
from bench.watch import gather, polls, streams

CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
LATENCY_CONNECTIONS = 64
WATCHERS = (10, 100, 1_000, 3_000, 10_000)
SERVICES = 100
_PATH = f"/api/v1/configs/{service_name(7)}"


@dataclass(frozen=True, slots=True)
class Target:
    """One who is read from; `script` is for wrk."""

    title: str
    url: str
    script: str = ""


@contextlib.contextmanager
def _targets(repositories: Repositories) -> Iterator[list[Target]]:
    """Serve the same document in every way that can be compared here."""
    folder = repositories.folder / "peers"
    folder.mkdir()
    with contextlib.ExitStack() as held:
        ours = held.enter_context(ServerProcess(repositories.services(SERVICES)))
        plain = held.enter_context(ServerProcess(repositories.services(SERVICES), "--no-wire"))
        url = f"http://127.0.0.1:{ours.port}{_PATH}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = answer.read()
        targets = [
            Target("configsvc", url),
            Target("configsvc --no-wire", f"http://127.0.0.1:{plain.port}{_PATH}"),
        ]
        if peers.is_there("nginx"):
            file = held.enter_context(peers.nginx(folder / "nginx", body))
            targets.append(Target("nginx, a file", file))
        if peers.is_there("etcd"):
            address = held.enter_context(peers.etcd(folder / "etcd", body))
            script = peers.etcd_script(is_serializable=True)
            targets.append(Target("etcd's JSON gateway, serializable", address, script))
        dev = held.enter_context(peers.development_server(folder / "development", body))
        yield [*targets, Target("Flask's development server", dev)]


def read_charts(repositories: Repositories, seconds: float, rounds: int) -> list[Chart]:
    """Return how many reads there are by connections, and how long they take at 64 of them.

    Args:
        seconds: Of each turn.
        rounds: Turns of each; the median counts.
    """
    with _targets(repositories) as targets:
        scaling = [Curve(target.title) for target in targets]
        for connections in CONNECTIONS:
            rates: list[list[float]] = [[] for _ in targets]
            for _ in range(rounds):
                for target, found in zip(targets, rates, strict=True):
                    reading = wrk.read(target.url, seconds, connections=connections, script=target.script)
                    found.append(reading.rate)
            for curve, found in zip(scaling, rates, strict=True):
                curve.points.append((connections, statistics.median(found)))
        latency = [_latency(target, seconds, rounds) for target in targets]
    return [
        Chart("read-scaling", "Reads by connections", "connections kept open", "reads/s", scaling),
        Chart(
            "latency",
            f"Time of a read, {LATENCY_CONNECTIONS} connections",
            "per cent of the reads",
            "answered within, ms",
            latency,
            ticks={_place(percent): f"{percent:g}" for percent in (50, 90, 99, 99.9, 99.99)},
        ),
    ]


def _latency(target: Target, seconds: float, rounds: int) -> Curve:
    readings = [
        wrk.read(target.url, seconds, connections=LATENCY_CONNECTIONS, script=target.script)
        for _ in range(rounds)
    ]
    return Curve(
        target.title,
        [
            (_place(percent), statistics.median(each.percentiles_ms[percent] for each in readings))
            for percent in wrk.PERCENTILES
            if percent >= 50
        ],
    )


def _place(percent: float) -> float:
    """Return where a percentile lies: as far right as one read in so many is slower."""
    return 100 / (100 - percent)


def fan_out_chart(repositories: Repositories, seconds: float) -> Chart:
    """Return how soon after the start of a write the last of many watchers is told.

    Args:
        seconds: How long commits are made, for each number of watchers.
    """
    curves = []
    for kind in (streams(), polls()):
        curve = Curve(kind.title)
        for watchers in WATCHERS:
            found = gather(repositories.services(SERVICES), kind, watchers, seconds)
            curve.points.append((watchers, statistics.median(found.told_ms)))
        curves.append(curve)
    return Chart("fan-out", "From a write to its last watcher", "watchers", "last told, ms", curves)
