"""What can be measured of the store."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from configsvc.metrics.metrics import Reading, gauge
from configsvc.store.gitstore import GitStore

PROBLEMS = ("diverged", "outcome-unknown", "write-failed")
"""Codes of what keeps a store from writing; any other is told as `other`."""


def store_reading(store: GitStore) -> Reading:
    """Return what reads the figures of `store`."""

    def read() -> Iterator[Metric]:
        figures, status = store.figures(), store.status()
        yield gauge("configsvc_revision", "Newest revision.", status.revision)
        yield gauge("configsvc_services", "Services that exist.", figures.services)
        yield gauge(
            "configsvc_head_committed_timestamp_seconds", "Time of the newest commit.", figures.committed_at
        )
        yield gauge(
            "configsvc_head_age_seconds",
            "Time since what is served was last known to be what is on main.",
            figures.checked_age_s,
        )
        yield gauge("configsvc_writer_queue", "Writes that wait for the writer.", figures.queued)
        yield gauge("configsvc_packs", "Packs of the repository.", figures.packs)
        yield gauge("configsvc_repository_bytes", "Size of the packs and their indexes.", figures.pack_bytes)
        yield gauge("configsvc_object_cache_bytes", "Git objects kept in memory.", figures.cached_bytes)
        yield gauge("configsvc_ready", "Whether it can do all its work.", int(not status.problems))
        problems = GaugeMetricFamily("configsvc_problem", "What keeps it from writing.", labels=("code",))
        for code in (*PROBLEMS, "other"):
            is_there = code in status.problems or (
                code == "other" and any(each not in PROBLEMS for each in status.problems)
            )
            problems.add_metric((code,), int(is_there))
        yield problems
        yield gauge(
            "configsvc_local_edits", "Working files that a person has edited.", len(status.local_edits)
        )

    return read
