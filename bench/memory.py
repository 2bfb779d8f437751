"""Memory of a server that has read and written each of its services."""

from __future__ import annotations

from pathlib import Path

from bench.load import Job, run_load
from bench.scale import Bench
from bench.server import ServerProcess
from bench.table import Goal, Report, Table, number

MOST_MB = 250
CLIENTS = 8
_PROC = Path("/proc")


def measure(bench: Bench) -> Report:
    """Return the resident memory of the server and of the git processes that it keeps."""
    services = bench.scale.memory_services
    table = Table(
        f"Resident memory, {number(services)} services of 1 KB",
        ("state", "server MB", "its git processes MB"),
        notes=("The pages of packs that git has mapped count as its memory; the system may take them back.",),
    )
    if not (_PROC / "self/status").exists():
        table.notes = ("Not measured: this system has no /proc.",)
        return Report([table])
    with ServerProcess(bench.repositories.services(services)) as server:
        rows = [("started", _megabytes(server.pid))]
        for state, writes in (("each service read", False), ("each service written", True)):
            bench.say(f"memory: {state}")
            run_load(Job(server.port, CLIENTS, 0.0, services=services, writes=writes, in_turn=True))
            rows.append((state, _megabytes(server.pid)))
    for state, (own, children) in rows:
        table.add(state, number(round(own)), number(round(children)))
    goals = [
        Goal.below(f"memory, {number(services)} services, {state}", round(own), MOST_MB, "MB")
        for state, (own, _) in rows[1:]
    ]
    return Report([table], goals if services >= 10_000 else [])


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return _megabytes(pid)[0]


def processor_ms(pid: int) -> float:
    """Return for how long the threads of a process have computed, the kernel's work for them included.

    0 on a system that does not tell.
    """
    if not (_PROC / "self/schedstat").exists():
        return 0.0
    tasks = (_PROC / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def _megabytes(pid: int) -> tuple[float, float]:
    """Return resident memory of a process, and of those below it."""
    below = 0.0
    for task in (_PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text().split():
            below += sum(_megabytes(int(child)))
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000, below  # in units of 1000 bytes or a bit more
    raise RuntimeError(f"process {pid}: no VmRSS")
