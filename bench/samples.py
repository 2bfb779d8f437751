"""What the clients of one round saw, and what several rounds come to."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one method.

    Args:
        seconds: From the first start to the last end.
        latencies_ms: One for each thing done.
        clients_cpu_s: Processor time of the clients, where they are a process of their own.
    """

    seconds: float
    latencies_ms: tuple[float, ...]
    clients_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Things done in a second."""
        return len(self.latencies_ms) / self.seconds


@dataclass(frozen=True, slots=True)
class Figures:
    """Median rate of several rounds, and latencies over all of them."""

    rate: float
    p50_ms: float
    p99_ms: float
    slowest_ms: float

    @classmethod
    def of(cls, rounds: Sequence[Round]) -> Figures:
        """Return what `rounds`, at least one, come to."""
        latencies = sorted(latency for each in rounds for latency in each.latencies_ms)
        return cls(
            rate=statistics.median(each.rate for each in rounds),
            p50_ms=percentile(latencies, 50),
            p99_ms=percentile(latencies, 99),
            slowest_ms=latencies[-1],
        )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of `ordered` values that `percent` of them do not exceed."""
    place = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(int(place) - 1, 0)]


def run_clients(
    clients: int,
    seconds: float,
    act: Callable[[int, int], None],
    *,
    at_least: int = 1,
    at_most: int | None = None,
) -> Round:
    """Let `clients` threads act, each again as soon as it is done, and return what they saw.

    Args:
        act: Given the client's number and how often it has acted before.
        at_least: Acts of each client, even when the time is up.
        at_most: Acts of each client, even when there is time left.
    """
    latencies: list[list[float]] = [[] for _ in range(clients)]
    ends = [0.0] * clients
    troubles: list[BaseException] = []
    gate = threading.Barrier(clients + 1)

    def run(client: int) -> None:
        gate.wait()
        before = time.perf_counter()
        deadline = before + seconds
        try:
            for turn in range(at_most if at_most is not None else 1 << 62):
                if before >= deadline and turn >= at_least:
                    break
                act(client, turn)
                after = time.perf_counter()
                latencies[client].append((after - before) * 1000)
                before = after
        except BaseException as trouble:  # noqa: BLE001 - raised again in the caller's thread
            troubles.append(trouble)
        ends[client] = before

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
    return Round(max(ends) - started, tuple(latency for each in latencies for latency in each))
