"""Reads of documents while others of the same repository are written, beside etcd under the same load."""

from __future__ import annotations

import base64
import contextlib
import statistics
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench import peers, wrk
from bench.corpus import SERVICES_A_FOLDER, service_name
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Report, Table, ms, number

READERS = 64
WRITERS = 8
_PAUSE_MS = 50
"""Between the answer to a writer and its next request: 160 writes a second at most, of all."""
_READ = service_name(7)
_WRITE_OURS = """
local count = 0
function delay() return %(pause)d end
request = function()
  count = count + 1
  local n = count %% %(services)d
  return wrk.format("PATCH", string.format("/api/v1/configs/a00/b%%02d/svc-%%06d",
    math.floor(n / %(a_folder)d), n), {["Content-Type"] = "application/merge-patch+json"},
    string.format('{"edition": %%d}', count))
end
"""
# The value is text in base64 as it stands: of four digits each.
_WRITE_ETCD = """
local count = 0
function delay() return %(pause)d end
request = function()
  count = count + 1
  return wrk.format("POST", "/v3/kv/put", {["Content-Type"] = "application/json"},
    string.format('{"key": "%(key)s", "value": "%%s%%08d"}', string.rep("a", 1024), count))
end
"""


@dataclass(slots=True)
class Side:
    """One who is read from and written to at the same time.

    Args:
        read, write: Scripts of wrk.
    """

    title: str
    url: str
    read: str
    write: str
    reads: list[wrk.Reading] = field(default_factory=list)
    writes: list[wrk.Reading] = field(default_factory=list)

    def take_turn(self, seconds: float) -> None:
        """Read and write for so long."""
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(wrk.read, self.url, seconds, connections=WRITERS, script=self.write)
            self.reads.append(wrk.read(self.url, seconds, connections=READERS, script=self.read))
            self.writes.append(writing.result())

    def cells(self) -> tuple[str, ...]:
        """Return its row: medians of the turns."""
        figures = [self.title]
        for readings in (self.reads, self.writes):
            figures.append(number(statistics.median(each.rate for each in readings)))
            figures += [
                ms(statistics.median(each.percentiles_ms[at] for each in readings)) for at in (50, 99)
            ]
        return tuple(figures)


def measure(bench: Bench) -> Report:
    """Return what reads and writes are like that go on together; nothing where wrk is missing."""
    if not wrk.is_installed():
        bench.say("mixed: wrk is not installed; left out")
        return Report()
    services = bench.scale.sizes[0]
    with contextlib.ExitStack() as held:
        ours = held.enter_context(ServerProcess(bench.repositories.services(services)))
        url = f"http://127.0.0.1:{ours.port}/api/v1/configs/{_READ}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = answer.read()
        told = {"pause": _PAUSE_MS, "services": services, "a_folder": SERVICES_A_FOLDER}
        sides = [Side("configsvc", url, "", _WRITE_OURS % told)]
        if peers.is_there("etcd"):
            folder = bench.repositories.folder / "mixed"
            folder.mkdir()
            address = held.enter_context(peers.etcd(folder, body))
            key = base64.b64encode(b"/mixed").decode("ascii")
            write = _WRITE_ETCD % {"pause": _PAUSE_MS, "key": key}
            sides.append(Side("etcd's JSON gateway", address, peers.etcd_script(is_serializable=True), write))
        for round_ in range(1, bench.scale.rounds + 1):
            for side in sides:
                bench.say(f"mixed: {side.title}, round {round_}")
                side.take_turn(bench.scale.round_s)
    table = Table(
        f"Reads by {READERS} connections while {WRITERS} write",
        ("who", "reads/s", "p50 ms", "p99 ms", "writes/s", "p50 ms", "p99 ms"),
        notes=(
            "Documents of 1 KB, one read and all written in turn; medians of the rounds.",
            f"Each writer waits {_PAUSE_MS} ms after each answer. Both make each write durable first.",
            "etcd is read without a quorum.",
        ),
    )
    for side in sides:
        table.add(*side.cells())
    return Report([table])
