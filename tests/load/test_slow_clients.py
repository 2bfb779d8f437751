"""Clients that send or read as slowly as they can hold up nobody, and are cut off in time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.serving import QUIET, Server, serving
from tests.load.slow import Crowd, crowding
from tests.load.storm import Storm, raise_storm
from tests.load.watching import memory_bytes
from tests.metrics.scrape import samples_of, value_of

LATE_S = 20.0
"""How much later than their deadline the last of them may be gone, on a machine that is busy."""
LARGE_BYTES = 900 << 10
READS = {"hot read": "/config?service=calm", "read through Flask": "/api/v1/configs/calm?version=0"}
MIB = 1 << 20


def open_connections(server: Server) -> int:
    """Return how many connections are open besides the one that asks."""
    text = server.ask("GET", "/metrics").text
    return int(value_of(samples_of(text), "configsvc_connections")) - 1


def cut_off_after_s(server: Server, started_s: float, deadline_s: float) -> float:
    """Return when, after the start, nobody is connected any longer."""
    while open_connections(server) > 0:
        assert time.monotonic() < started_s + deadline_s + LATE_S, f"{open_connections(server)} are left"
        time.sleep(0.1)
    return time.monotonic() - started_s


def hold_out(folder: Path, each: int, deadline_s: float) -> tuple[float, float, float]:
    """Serve while so many clients of each kind are slow.

    Args:
        deadline_s: Of a head, of a body, and of an answer that is left unread.

    Returns:
        p99 of reads meanwhile in ms, MiB of memory on top, and how late the last one was cut off, in s.
    """
    flags = [f"--{what}-timeout-s={deadline_s:g}" for what in ("header", "body", "write")]
    with serving(folder / "repo", *QUIET, *flags) as server:
        assert server.ask("POST", "/config?service=calm", {"a": 1}).status == 201
        assert server.ask("POST", "/config?service=large", {"a": "x" * LARGE_BYTES}).status == 201
        for target in READS.values():
            server.ask("GET", target)
        port, pid = int(server.url.rpartition(":")[2]), server.process.pid
        calm = memory_bytes(pid)
        most = [calm]
        is_over = threading.Event()

        def watch_memory() -> None:
            while not is_over.wait(0.05):
                most.append(memory_bytes(pid))

        watching = threading.Thread(target=watch_memory)
        watching.start()
        try:
            started_s = time.monotonic()
            target = "/api/v1/configs/large"
            with crowding(Crowd(port, head=each, body=each, reading=each, target=target)):
                connected_s = time.monotonic()
                seen = raise_storm(Storm(port, 0, 2.0, READS))
                gone_s = cut_off_after_s(server, connected_s, deadline_s)
        finally:
            is_over.set()
            watching.join()
        assert seen.trouble == []
        p99_ms = max(seen.percentile_ms(name, 99) for name in READS)
        more_mib = (max(most) - calm) / MIB
        print(
            f"\n{3 * each} slow clients, connected within {connected_s - started_s:.1f} s: {seen.report()}\n"
            f"memory {calm / MIB:.0f} MiB, {more_mib:.0f} MiB more; the last one cut off "
            f"{gone_s:.1f} s after the last had connected (deadline {deadline_s:g} s)"
        )
        assert server.ask("GET", "/config?service=calm").status == 200
        assert server.stop() == 0
    return p99_ms, more_mib, gone_s - deadline_s


@pytest.mark.thorough
@pytest.mark.slow
def test_slow_clients_are_cut_off_and_hold_up_nobody(tmp_path: Path) -> None:
    _, more_mib, _ = hold_out(tmp_path, 100, 4.0)
    assert more_mib < 32


@pytest.mark.soak
def test_three_thousand_slow_clients_are_cut_off_and_hold_up_nobody(tmp_path: Path) -> None:
    p99_ms, more_mib, late_s = hold_out(tmp_path, 1000, 15.0)
    assert p99_ms < 1000
    assert more_mib < 128
    assert late_s < 5
