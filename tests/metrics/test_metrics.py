"""What an operator is told is what has happened, in labels that are known beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from configsvc import __version__
from configsvc.access.decide import Access
from configsvc.app import create_app, unlogged
from configsvc.core.errors import ConfigError
from configsvc.core.measures import BatchReport, Spread
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.watches import make_watches
from configsvc.metrics.metrics import Metrics
from configsvc.metrics.store import store_reading
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import StoreStatus
from configsvc.store.gitstore import GitStore
from tests.access.book import Book, bearer
from tests.edge.running import ask, connect, get, running
from tests.edge.test_limiting import read
from tests.metrics.scrape import Samples, samples_of, value_of
from tests.store.gitrepo import put

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
SECRET = "secret-value-of-a-client"


@dataclass
class Served:
    """A server with everything that is measured."""

    port: int
    store: GitStore
    hot: HotAnswerer

    def scrape(self) -> Samples:
        return samples_of(ask(self.port, get("/metrics")).body.decode())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    settings, metrics = Settings(repo=tmp_path / "repo", max_queued_writes=1), Metrics()
    with ExitStack() as held:
        store = held.enter_context(GitStore.open(settings.repo, on_batch=metrics.note_batch))
        service = ConfigService(store)
        metrics.add(store_reading(store))
        app = create_app(service, settings, metrics=metrics)
        access = Access(store.snapshot)
        store.listen(lambda paths: access.refresh())
        hot = HotAnswerer(unlogged(app), access, service, settings.hot_cache_bytes)
        held.enter_context(closing(hot))
        watches = make_watches(service, access, settings, metrics)
        port = held.enter_context(running(app, settings, hot=hot, answerers=watches, metrics=metrics))
        yield Served(port, store, hot)


def test_every_metric_is_documented_and_no_other(served: Served) -> None:
    put(served.store, {"web.json": b"{}\n"})
    read(served.port, "/nowhere")
    told = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name, _ in served.scrape()}
    told = {name for name in told if name.startswith("configsvc_")}
    documented = set(re.findall(r"^\| `(configsvc_[a-z_]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented == told


def test_requests_are_counted_by_who_answered_them_and_by_route(served: Served) -> None:
    put(served.store, {"web.json": b"{}\n"})
    for target in ("/api/v1/configs/web?version=0", "/api/v1/configs/web?version=0", f"/{SECRET}", "/config"):
        read(served.port, target)
    found = served.scrape()
    route = "/api/v1/configs/<service:service>"
    counted = {"source": "flask", "route": route, "method": "GET", "status": "200"}
    assert value_of(found, "configsvc_requests_total", **counted) == 2
    assert value_of(found, "configsvc_request_seconds_count", source="flask", route=route) == 2
    assert 0 < value_of(found, "configsvc_request_seconds_sum", source="flask", route=route) < 60
    assert value_of(found, "configsvc_requests_total", route="(none)", status="404") == 1
    assert value_of(found, "configsvc_refusals_total", code="not-found") == 1
    assert value_of(found, "configsvc_refusals_total", code="request-invalid") == 1


def test_what_is_refused_in_front_of_the_routes_is_counted_too(served: Served) -> None:
    ask(served.port, get("/", "X-Long: " + "x" * (65 << 10)))
    found = served.scrape()
    assert value_of(found, "configsvc_refusals_total", code="head-too-large") == 1
    assert value_of(found, "configsvc_requests_total", source="edge", method="(other)", status="431") == 1


def test_reads_from_memory_are_counted_apart(served: Served) -> None:
    put(served.store, {"web.json": b"{}\n"})
    for _ in range(5):
        read(served.port, "/config?service=web")
    found = served.scrape()
    assert value_of(found, "configsvc_hot_reads_total", layer="edge", status="200") == 1
    assert value_of(found, "configsvc_hot_reads_total", layer="ready", status="200") == 4
    assert value_of(found, "configsvc_hot_read_seconds_count") == 1
    assert value_of(found, "configsvc_hot_cache_misses_total") == 1
    assert value_of(found, "configsvc_hot_cache_entries") == 1
    assert value_of(found, "configsvc_hot_cache_bytes") == served.hot.reads.used_bytes > 0
    assert value_of(found, "configsvc_requests_total", source="flask", route="/config") == 0


def test_the_steps_of_a_commit_are_timed(served: Served) -> None:
    for number in range(3):
        put(served.store, {"web.json": b'{"n": %d}\n' % number})
    with pytest.raises(ConfigError):
        put(served.store, {"web.json/x.json": b"{}\n"})
    found = served.scrape()
    steps = {dict(labels)["step"] for name, labels in found if name == "configsvc_commit_step_seconds_count"}
    assert steps == {"queued", "taken", "built", "packed", "landed", "published", "answered"}
    for step in ("built", "packed", "landed"):
        assert value_of(found, "configsvc_commit_step_seconds_count", step=step) == 3
    assert value_of(found, "configsvc_writes_total", outcome="accepted") == 3
    assert value_of(found, "configsvc_batch_writes_sum") >= 3


def test_the_state_of_the_store_is_told(served: Served) -> None:
    put(served.store, {"web.json": b"{}\n", "api.yaml": b"a: 1\n"})
    found = served.scrape()
    assert value_of(found, "configsvc_revision") == served.store.snapshot().revision
    assert value_of(found, "configsvc_services") == 2
    assert value_of(found, "configsvc_packs") >= 1
    packs = (served.store.git_dir / "objects" / "pack").iterdir()
    assert value_of(found, "configsvc_repository_bytes") == sum(each.stat().st_size for each in packs)
    assert value_of(found, "configsvc_ready") == 1
    assert value_of(found, "configsvc_problem") == 0
    assert 0 <= value_of(found, "configsvc_head_age_seconds") < 60
    assert value_of(found, "configsvc_build_info", version=__version__) == 1
    assert value_of(found, "process_resident_memory_bytes") > 1 << 20
    assert value_of(found, "process_open_fds") > 3


def test_a_store_that_cannot_write_says_why(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = {"diverged": "main: was moved", "of-tomorrow": "nobody knows it yet"}
    monkeypatch.setattr(served.store, "status", lambda: StoreStatus(1, problems, local_edits=("a", "b")))
    found = served.scrape()
    assert value_of(found, "configsvc_ready") == 0
    there = {
        dict(labels)["code"]
        for (name, labels), value in found.items()
        if name == "configsvc_problem" and value
    }
    assert there == {"diverged", "other"}
    assert value_of(found, "configsvc_local_edits") == 2


def test_an_error_that_has_not_been_told_yet_is_there_with_0(served: Served) -> None:
    # Or else the first one would be no increase.
    codes = {dict(labels)["code"] for name, labels in served.scrape() if name == "configsvc_refusals_total"}
    assert codes >= {"internal", "outcome-unknown", "queue-full", "rate-exceeded", "unauthorized"}


def test_who_watches_is_counted(served: Served) -> None:
    head = get("/api/v1/watch", close=False)
    with connect(served.port) as watcher:
        watcher.sendall(head)
        assert watcher.recv(1 << 16).startswith(b"HTTP/1.1 200")
        found = served.scrape()
        assert value_of(found, "configsvc_watchers") == 1
        assert value_of(found, "configsvc_connections") == 2
        put(served.store, {"web.json": b"{}\n"})
        assert b"web" in watcher.recv(1 << 16)
        assert value_of(served.scrape(), "configsvc_fan_out_seconds_count") == 1


def test_nothing_that_a_client_sends_becomes_a_label(served: Served) -> None:
    for line in (f"/{SECRET}", f"/config?service={SECRET}", f"/api/v1/configs/{SECRET}?pointer=/{SECRET}"):
        ask(served.port, get(line, f"Authorization: Bearer {SECRET * 2}", f"X-Forwarded-For: {SECRET}"))
        ask(served.port, get(line, method=SECRET.upper()))
    text = ask(served.port, get("/metrics")).body.decode()
    assert SECRET not in text.lower()


def test_the_text_is_what_the_scraper_accepts(served: Served) -> None:
    plain = ask(served.port, get("/metrics"))
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = ask(served.port, get("/metrics", "Accept: application/openmetrics-text; version=1.0.0"))
    assert told.headers["content-type"].startswith("application/openmetrics-text")
    families = openmetrics(told.body.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"configsvc_requests"}


@pytest.mark.parametrize(("is_open", "statuses"), [(False, [401, 404, 200]), (True, [200, 200, 200])])
def test_who_may_read_the_metrics(is_open: bool, statuses: list[int]) -> None:
    book = Book()
    book.add("all", all="reader")
    book.add("some", some__all="admin")
    settings = Settings(open_metrics=is_open)
    client = create_app(ConfigService(book.store), settings, access=book.access).test_client()
    headers = [{}, {"Authorization": bearer("some")}, {"Authorization": bearer("all")}]
    assert [client.get("/metrics", headers=each).status_code for each in headers] == statuses


def test_a_spread_counts_each_value_below_its_bound() -> None:
    spread = Spread((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        spread.observe(value)
    assert (spread.counts, spread.total) == ([2, 1, 1], 12.0)


def test_buckets_are_cumulative_and_end_with_all() -> None:
    metrics = Metrics()
    metrics.note_batch(BatchReport(0.0, (0.002, 0.002, 99.0), (("taken", 0.3),), 2, 1))
    found = samples_of(metrics.text()[1].decode())
    waited = {"step": "queued"}
    assert value_of(found, "configsvc_commit_step_seconds_bucket", le="0.001", **waited) == 0
    assert value_of(found, "configsvc_commit_step_seconds_bucket", le="0.0025", **waited) == 2
    assert value_of(found, "configsvc_commit_step_seconds_bucket", le="10.0", **waited) == 2
    assert value_of(found, "configsvc_commit_step_seconds_bucket", le="+Inf", **waited) == 3
    assert value_of(found, "configsvc_commit_step_seconds_count", **waited) == 3
    assert value_of(found, "configsvc_writes_total", outcome="refused") == 1
