"""All that is counted, and the text in which it is told.

Labels come from sets that are known beforehand: routes, methods, statuses, codes and the names of parts of
the server.  No name of a service or a principal, and nothing that a client sent, is ever one.
"""

from __future__ import annotations

import platform
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from configsvc import __version__
from configsvc.core.measures import METHODS, SIZES, BatchReport, Spread

UNMATCHED = "(none)"
"""Route of a request that no route takes."""

Values = TypeVar("Values", bound=tuple[str, ...])
Reading = Callable[[], Iterable[Metric]]


class Metrics:
    """Counts what it is told of, and asks others when it is itself asked.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the counts below
        self._requests: Counter[tuple[str, str, str, int]] = Counter()
        self._seconds: defaultdict[tuple[str, str], Spread] = defaultdict(Spread)
        self._refusals: Counter[str] = Counter()
        self._rejections = 0
        self._steps: defaultdict[str, Spread] = defaultdict(Spread)
        self._batches = Spread(SIZES)
        self._writes: Counter[str] = Counter({"accepted": 0, "refused": 0})
        self._readings: list[Reading] = [self._counted]
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Asked(self._readings))

    def note_request(self, source: str, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            source: Who answered: `flask` or `edge`.
            route: The route's pattern; empty for none.
            seconds: How long it took, an answer that is streamed included.
        """
        route = route or UNMATCHED
        method = method if method in METHODS else "(other)"
        with self._lock:
            self._requests[source, route, method, status] += 1
            self._seconds[source, route].observe(seconds)

    def note_refusal(self, code: str) -> None:
        """Count an error that a client was told, by its code."""
        with self._lock:
            self._refusals[code] += 1

    def expect_refusals(self, codes: Iterable[str]) -> None:
        """Tell of these codes before there are any: the first one is an increase only after a 0."""
        with self._lock:
            self._refusals.update(dict.fromkeys(codes, 0))

    def note_rejection(self) -> None:
        """Count a version that a client did not adopt."""
        with self._lock:
            self._rejections += 1

    def note_batch(self, report: BatchReport) -> None:
        """Count writes that were taken together."""
        with self._lock:
            self._batches.observe(len(report.queued_s))
            for queued_s in report.queued_s:
                self._steps["queued"].observe(queued_s)
            for name, seconds in report.steps:
                self._steps[name].observe(seconds)
            self._writes["accepted"] += report.accepted
            self._writes["refused"] += report.refused

    def add(self, reading: Reading) -> None:
        """Have `reading` asked each time that the metrics are asked for; it must be quick."""
        self._readings.append(reading)

    def text(self, accept: str = "") -> tuple[str, bytes]:
        """Return content type and text of all metrics, in the form that `accept` prefers."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)

    def _counted(self) -> list[Metric]:
        with self._lock:  # not while they are encoded: who counts would wait for that
            return list(self._told())

    def _told(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("configsvc_build_info", "What runs here.", labels=("version", "python"))
        build.add_metric((__version__, platform.python_version()), 1)
        yield build
        yield gauge("configsvc_threads", "Threads of the process.", threading.active_count())
        labels = ("source", "route", "method", "status")
        requests = CounterMetricFamily("configsvc_requests", "Answered requests.", labels=labels)
        for (source, route, method, status), count in self._requests.items():
            requests.add_metric((source, route, method, str(status)), count)
        yield requests
        yield histogram(
            "configsvc_request_seconds",
            "Time from a request's head to the end of its answer.",
            self._seconds,
            ("source", "route"),
        )
        yield counter("configsvc_refusals", "Errors that clients were told.", self._refusals, "code")
        yield CounterMetricFamily(
            "configsvc_rejections", "Versions that clients told they did not adopt.", value=self._rejections
        )
        yield histogram(
            "configsvc_commit_step_seconds",
            "Time that writes wait to be taken, and that each step of a batch takes.",
            {(name,): spread for name, spread in self._steps.items()},
            ("step",),
        )
        yield histogram("configsvc_batch_writes", "Writes that are landed together.", {(): self._batches}, ())
        yield counter("configsvc_writes", "Writes that came to the writer.", self._writes, "outcome")


class _Asked(Collector):
    """Asks every reading in turn."""

    def __init__(self, readings: list[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for reading in list(self._readings):
            yield from reading()


def gauge(name: str, help_: str, value: float) -> Metric:
    """Return a value that goes up and down."""
    return GaugeMetricFamily(name, help_, value=value)


def counter(name: str, help_: str, counts: Mapping[str, int], label: str) -> Metric:
    """Return counts by one label; `_total` is added to the name."""
    family = CounterMetricFamily(name, help_, labels=(label,))
    for value, count in list(counts.items()):
        family.add_metric((value,), count)
    return family


def histogram(name: str, help_: str, spreads: Mapping[Values, Spread], labels: tuple[str, ...]) -> Metric:
    """Return spreads by their labels."""
    family = HistogramMetricFamily(name, help_, labels=labels)
    for values, spread in list(spreads.items()):
        total, buckets = 0, []
        for bound, count in zip((*spread.bounds, float("inf")), spread.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
        family.add_metric(values, buckets, spread.total)
    return family
