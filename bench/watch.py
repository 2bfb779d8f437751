"""Thousands of clients that wait: how soon they are told, what they cost, and what others notice."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import resource
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import uvloop

from bench.corpus import service_name
from bench.load import Job, finish_load, start_load
from bench.memory import resident_megabytes
from bench.samples import percentile
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, ms, number

MOST_LAST_TOLD_MS = 200
MOST_KB = 12
MOST_READ_MS = 20
GOALS_FROM_WATCHERS = 10_000
_COMMIT_EVERY_S = 1.5
_SETTLING_S = 6.0
_CONNECTING = 200
_WAIT_S = 60.0
_READ_PAUSE_S = 0.005
_READ_PATH = f"/api/v1/configs/{service_name(1)}"
_COMMIT_PAUSE_S = 0.5


@dataclass
class Crowd:
    """Clients of one kind.

    Args:
        ask: Returns the request of one, given the ETag of what it knows.
        is_waiting: Tells from what came whether the client waits now.
        again: Whether a client asks anew once it was told.
    """

    title: str
    ask: Callable[[str], bytes]
    is_waiting: bytes
    is_told: bytes
    again: bool
    told: int = 0
    waiting: int = 0
    last_told_s: float = 0.0
    clients: list[Client] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One connection that waits."""

    def __init__(self, crowd: Crowd, tag: str) -> None:
        self._crowd = crowd
        self.tag = tag
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent
        self.transport.write(self._crowd.ask(self.tag))
        self._crowd.waiting += not self._crowd.is_waiting

    def data_received(self, data: bytes) -> None:
        if self._crowd.is_waiting and self._crowd.is_waiting in data:
            self._crowd.waiting += 1
        if self._crowd.is_told in data:
            self._crowd.told += 1
            self._crowd.last_told_s = time.perf_counter()


def streams() -> Crowd:
    """Return clients of the event stream."""
    head = b"GET /api/v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return Crowd("event streams", lambda tag: head, b"retry:", b"event: change", again=False)


def polls() -> Crowd:
    """Return clients of one document that wait for its next version."""
    path = f"/api/v1/configs/{service_name(0)}?wait=60"

    def ask(tag: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n".encode()

    return Crowd("long polls", ask, b"", b"HTTP/1.1 200", again=True)


def measure(bench: Bench) -> Report:
    """Return how soon the last of many watchers is told, and what they cost."""
    watchers = bench.scale.watchers
    _allow_files(watchers + 500)
    table = Table(
        f"Watches, {number(watchers)} clients at one time",
        ("clients", "last told, median ms", "slowest ms", "KB each", "reads p99 ms", "MB before", "MB after"),
        notes=(
            "From the start of the PUT to the arrival at the last client; the clients share the two cores.",
            "Reads are made one after the other by a process of their own, with pauses of 5 ms, meanwhile.",
            "Each commit waits until all clients wait.",
        ),
    )
    report = Report([table])
    for crowd in (streams(), polls()):
        bench.say(f"watch: {watchers} {crowd.title}")
        with ServerProcess(
            bench.repositories.services(bench.scale.sizes[0]), "--log-level", "warning"
        ) as server:
            found = uvloop.run(_measure(server, crowd, watchers, bench.scale.crowd_s))
        table.add(crowd.title, *found.cells())
        if watchers >= GOALS_FROM_WATCHERS:
            report.goals.extend(found.goals(crowd.title, watchers))
    return report


@dataclass(frozen=True, slots=True)
class Found:
    """What one crowd saw; times in ms, memory in MB."""

    told_ms: list[float]
    reads_ms: list[float]
    before: float
    during: float
    after: float
    clients: int

    @property
    def kilobytes(self) -> float:
        """Memory of the server for each client."""
        return (self.during - self.before) * 1000 / self.clients

    def cells(self) -> tuple[str, ...]:
        """Return the cells of its row after the first."""
        told = sorted(self.told_ms)
        return (
            ms(percentile(told, 50)),
            ms(told[-1]),
            f"{self.kilobytes:.1f}",
            ms(percentile(sorted(self.reads_ms), 99)),
            number(round(self.before)),
            number(round(self.after)),
        )

    def goals(self, title: str, watchers: int) -> list[Goal]:
        """Return what was promised of it."""
        what = f"{number(watchers)} {title}"
        told = percentile(sorted(self.told_ms), 50)
        return [
            Goal.below(f"{what}, last told", round(told), MOST_LAST_TOLD_MS, "ms"),
            Goal.below(f"{what}, memory each", round(self.kilobytes, 1), MOST_KB, "KB"),
            Goal.below(
                f"{what}, reads meanwhile, p99",
                round(percentile(sorted(self.reads_ms), 99), 1),
                MOST_READ_MS,
                "ms",
            ),
        ]


async def _measure(server: ServerProcess, crowd: Crowd, watchers: int, crowd_s: float) -> Found:
    put = _writer(server.port)
    tag = await asyncio.to_thread(put, 0)
    before = resident_megabytes(server.pid)
    await _gather(server.port, crowd, watchers, tag)
    during = resident_megabytes(server.pid)
    told_ms: list[float] = []
    job = Job(server.port, 1, crowd_s, targets=(_READ_PATH,), pause_s=_READ_PAUSE_S)
    reads = start_load(job)
    while len(told_ms) < crowd_s / _COMMIT_EVERY_S or reads.poll() is None:
        crowd.told = 0
        started_s = time.perf_counter()
        tag = await asyncio.to_thread(put, len(told_ms) + 1)
        await _until(lambda: crowd.told >= watchers)
        told_ms.append((crowd.last_told_s - started_s) * 1000)
        if crowd.again:
            for client in crowd.clients:
                assert client.transport is not None
                client.transport.write(crowd.ask(tag))
            await _all_wait(server.port, watchers)
        await asyncio.sleep(_COMMIT_PAUSE_S)
    latencies_ms = list(finish_load(reads).latencies_ms)
    for client in crowd.clients:
        if client.transport is not None:
            client.transport.abort()
    await asyncio.sleep(min(_SETTLING_S, crowd_s))
    after = resident_megabytes(server.pid)
    return Found(told_ms, latencies_ms, before, during, after, watchers)


async def _gather(port: int, crowd: Crowd, watchers: int, tag: str) -> None:
    loop = asyncio.get_running_loop()
    for first in range(0, watchers, _CONNECTING):
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda: Client(crowd, tag), "127.0.0.1", port)
                for _ in range(min(_CONNECTING, watchers - first))
            )
        )
        crowd.clients += [client for _, client in made]
    await _until(lambda: crowd.waiting >= watchers)
    await asyncio.sleep(1.0)


async def _all_wait(port: int, watchers: int) -> None:
    """Wait until the server says that all clients wait again: they take turns, they do not storm it."""

    def count() -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_WAIT_S) as answer:
            found = re.search(r"^configsvc_watchers (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    deadline = time.monotonic() + _WAIT_S
    while await asyncio.to_thread(count) < watchers:
        if time.monotonic() > deadline:
            raise RuntimeError(f"watch: not all clients wait again within {_WAIT_S:.0f} s")
        await asyncio.sleep(0.1)


async def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"watch: not all clients were told within {_WAIT_S:.0f} s")
        await asyncio.sleep(0.001)


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


def _allow_files(wanted: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))
