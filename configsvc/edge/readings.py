"""What can be measured of the edge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from configsvc.edge.bridge import WsgiBridge
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.loophub import LoopHub
from configsvc.metrics.metrics import Reading, counter, gauge, histogram


def server_reading(bridge: WsgiBridge, connections: Callable[[], int]) -> Reading:
    """Return what reads the figures of connections, threads and bodies."""

    def read() -> Iterator[Metric]:
        yield gauge("configsvc_connections", "Open connections.", connections())
        yield gauge("configsvc_body_bytes", "Request bodies that are held.", bridge.budget.used)
        busy = GaugeMetricFamily("configsvc_pool_busy", "Threads that work.", labels=("pool",))
        waiting = GaugeMetricFamily(
            "configsvc_pool_waiting", "Requests that wait for a thread.", labels=("pool",)
        )
        for pool in bridge.pools:
            busy.add_metric((pool.kind,), pool.busy)
            waiting.add_metric((pool.kind,), pool.waiting)
        refused = {pool.kind: pool.refused for pool in bridge.pools}
        yield from (busy, waiting)
        yield counter("configsvc_pool_refused", "Requests refused, since too many waited.", refused, "pool")

    return read


def hot_reading(hot: HotAnswerer) -> Reading:
    """Return what reads the figures of the reads that are answered from memory."""

    def read() -> Iterator[Metric]:
        answered = CounterMetricFamily(
            "configsvc_hot_reads", "Reads answered from memory.", labels=("layer", "status")
        )
        counts: tuple[tuple[str, Counter[int]], ...] = (("edge", hot.answered), ("ready", hot.ready))
        for layer, found in counts:
            for status in (200, 304):
                answered.add_metric((layer, str(status)), found[status])
        yield answered
        yield histogram(
            "configsvc_hot_read_seconds",
            "Time to answer a read from memory through ASGI; those sent ready-made are not timed.",
            {(): hot.spread},
            (),
        )
        yield CounterMetricFamily(
            "configsvc_hot_cache_misses", "Answers that had to be made.", value=hot.made
        )
        yield gauge("configsvc_hot_cache_entries", "Answers kept ready.", len(hot.reads))
        yield gauge("configsvc_hot_cache_bytes", "Memory that they take.", hot.reads.used_bytes)

    return read


def watch_reading(hub: LoopHub) -> Reading:
    """Return what reads the figures of those who wait."""

    def read() -> Iterator[Metric]:
        yield gauge("configsvc_watchers", "Clients that watch or wait.", hub.waiting)
        yield histogram(
            "configsvc_fan_out_seconds",
            "Time from a publish that concerns someone until the last one is told.",
            {(): hub.spread},
            (),
        )

    return read
