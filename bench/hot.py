"""Reads of newest documents beside others who answer 1 KB, in turns: ours with and without the wire."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import peers, wrk
from bench.corpus import SERVICES_A_FOLDER, service_name
from bench.load import ROOT, Job, run_load
from bench.peers import jvm
from bench.scale import FULL, Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, ms, number

CONNECTIONS = 64
_PATH = f"/api/v1/configs/{service_name(7)}"
_JAVA_TURN_S = 10.0
_ANY = """
local last = -1
local in_turn = function() last = (last + 1) %% %(services)d; return last end
local at_random = function() return math.random(0, %(services)d - 1) end
request = function()
  local n = %(choice)s()
  local folder = math.floor(n / %(a_folder)d)
  return wrk.format("GET", string.format(
    "/api/v1/configs/a%%02d/b%%02d/svc-%%06d", math.floor(folder / 25), folder %% 25, n))
end
"""
_FILL_S = 20.0
"""Enough to ask for each of 100,000 services once."""


@dataclass(slots=True)
class Reader:
    """One who is read from.

    Args:
        options: Of wrk.
        script: In Lua, for wrk.
        bound: How many times as many reads a second ours are to answer.
        least_s: Seconds that a turn lasts at least: who is slow answers nothing in less.
    """

    title: str
    url: str
    options: tuple[str, ...] = ()
    script: str = ""
    bound: float | None = None
    least_s: float = 1.0
    rates: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def forget(self) -> None:
        """Leave out what was measured so far, as after a turn that warms up."""
        for figures in (self.rates, self.p50_ms, self.p99_ms):
            figures.clear()

    def read(self, seconds: float) -> None:
        """Take a turn.

        Raises:
            RuntimeError: An answer was no success.
        """
        reading = wrk.read(
            self.url,
            max(self.least_s, seconds),
            connections=CONNECTIONS,
            script=self.script,
            options=self.options,
        )
        self.rates.append(reading.rate)
        self.p50_ms.append(reading.percentiles_ms[50])
        self.p99_ms.append(reading.percentiles_ms[99])


def measure(bench: Bench) -> Report:
    """Return how many reads a second there are, and how they compare; nothing where wrk is missing."""
    if not wrk.is_installed():
        bench.say("hot: wrk is not installed; left out")
        return Report()
    missing = [program for program in ("nginx", "etcd") if not peers.is_there(program)]
    services = bench.scale.sizes[-1]
    folder = bench.repositories.folder / "peers"
    folder.mkdir()
    with contextlib.ExitStack() as held:
        readers = _readers(bench, folder, services, missing, held)
        is_warmed_up = bench.scale.rounds > 1
        for round_ in range(0 if is_warmed_up else 1, bench.scale.rounds + 1):
            for reader in readers:
                bench.say(f"hot: {reader.title}, round {round_}")
                reader.read(bench.scale.round_s)
                if round_ == 0:
                    reader.forget()
    table = Table(
        f"Hot reads, {CONNECTIONS} connections kept open",
        ("who", "reads/s", "p50 ms", "p99 ms", "x nginx", "p99 x nginx"),
        notes=(
            "wrk with one thread, documents of 1 KB; medians of the rounds, and of the ratios in each.",
            "nginx writes no log; we do.",
            "Spring Cloud Config Server and Central Dogma answer the same document within their own form.",
            *([f"Not there: {', '.join(missing)}."] if missing else []),
        ),
    )
    for reader in readers:
        table.add(*_cells(reader, readers[0] if "nginx" not in missing else None))
    is_whole = bench.scale.rounds >= 3 and not {"nginx", "etcd"}.intersection(missing)
    return Report([table], _goals(readers) if is_whole else [])


def _readers(
    bench: Bench, folder: Path, services: int, missing: list[str], held: contextlib.ExitStack
) -> list[Reader]:
    root = bench.repositories.services(services)
    ours = held.enter_context(ServerProcess(root))
    url = f"http://127.0.0.1:{ours.port}{_PATH}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        body = answer.read()
    few = bench.repositories.services(bench.scale.sizes[0])
    plain = held.enter_context(ServerProcess(few, "--no-wire"))
    guarded_root = bench.repositories.services(bench.scale.sizes[0])
    token = _token(guarded_root)
    guarded = held.enter_context(ServerProcess(guarded_root))
    bench.say(f"hot: reading {services} services once, and once more by those who measure")
    run_load(Job(ours.port, 8, 0.0, services=services, in_turn=True, path="/api/v1/configs/{}"))
    seconds = _FILL_S if services == FULL.sizes[-1] else bench.scale.round_s
    wrk.read(url, seconds, connections=CONNECTIONS, script=_any(services, "in_turn"))
    dev = held.enter_context(peers.development_server(folder / "development", body))
    readers = [
        Reader("configsvc", url),
        Reader("configsvc --no-wire", f"http://127.0.0.1:{plain.port}{_PATH}"),
        Reader(
            "configsvc, with tokens",
            f"http://127.0.0.1:{guarded.port}{_PATH}",
            ("-H", f"Authorization: Bearer {token}"),
        ),
        Reader(
            f"configsvc, any of {number(services)}",
            url,
            script=_any(services, "at_random"),
        ),
        Reader("Flask's development server", dev, bound=40.0),
    ]
    if "nginx" not in missing:
        file = held.enter_context(peers.nginx(folder / "nginx", body))
        readers.insert(0, Reader("nginx, a file", file, bound=1.0))
    if "etcd" not in missing:
        address = held.enter_context(peers.etcd(folder / "etcd", body))
        for kind, is_serializable in (("serializable", True), ("linearizable", False)):
            script = peers.etcd_script(is_serializable=is_serializable)
            readers.append(Reader(f"etcd's JSON gateway, {kind}", address, script=script, bound=10.0))
    if bench.scale.java_peers:
        bench.say("hot: asking Maven for those who run on Java")
        readers += _java_readers(folder, body, missing, held)
    return readers


def _any(services: int, choice: str) -> str:
    """Return the script that asks for all services, one after the other or at random."""
    return _ANY % {"services": services, "a_folder": SERVICES_A_FOLDER, "choice": choice}


def _java_readers(
    folder: Path, body: bytes, missing: list[str], held: contextlib.ExitStack
) -> Iterator[Reader]:
    for title, name, serving, options in (
        ("Spring Cloud Config Server", jvm.SPRING, jvm.spring, ()),
        ("Central Dogma", jvm.DOGMA, jvm.dogma, ("-H", jvm.ANYBODY)),
    ):
        jars = jvm.class_path(name)
        if jars is None:
            missing.append(title)
            continue
        url = held.enter_context(serving(folder / name, jars, body))
        yield Reader(title, url, ("--timeout", "30s", *options), bound=1.0, least_s=_JAVA_TURN_S)


def _token(root: Path) -> str:
    """Make a principal that may read everything, and return its token."""
    command = [sys.executable, "-m", "configsvc.cli", "token", "create", "bench", "--role", "admin"]
    done = subprocess.run(
        [*command, "--path", "**", "--repo", str(root)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.split()[-1]


def _cells(reader: Reader, nginx: Reader | None) -> tuple[str, ...]:
    rate, p50, p99 = (statistics.median(each) for each in (reader.rates, reader.p50_ms, reader.p99_ms))
    ratios = ("-", "-") if nginx is None else tuple(number(_ratio(reader, nginx, pick)) for pick in _PICKS)
    return (reader.title, number(rate), ms(p50), ms(p99), *ratios)


_PICKS: tuple[Callable[[Reader], list[float]], ...] = (lambda each: each.rates, lambda each: each.p99_ms)


def _ratio(one: Reader, other: Reader, pick: Callable[[Reader], list[float]] = _PICKS[0]) -> float:
    """Return the median of the ratios of each round, since what else goes on comes and goes."""
    pairs = zip(pick(one), pick(other), strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


def _goals(readers: list[Reader]) -> list[Goal]:
    nginx, ours, plain, guarded, any_, *_ = readers
    goals = [
        Goal.least("hot reads x nginx, --no-wire", _ratio(plain, nginx), 0.4, "x"),
        Goal.below("hot reads, p99 x nginx's", _ratio(ours, nginx, _PICKS[1]), 1.25, "x"),
        Goal.least("hot reads with tokens x without", _ratio(guarded, ours), 0.8, "x"),
        Goal.least("hot reads of any service x of one", _ratio(any_, ours), 0.5, "x"),
    ]
    return goals + [
        Goal.least(f"hot reads x {each.title}", _ratio(ours, each), each.bound, "x")
        for each in readers
        if each.bound is not None
    ]
