"""Spans tell where the time of a write goes, and nothing that is nobody's business."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from werkzeug.test import Client

from configsvc.api.access_log import REQUEST_ID
from configsvc.api.metrics import ROUTE
from configsvc.app import create_app
from configsvc.assembly import open_instance
from configsvc.cli.serve import _traced
from configsvc.core.errors import SettingInvalid
from configsvc.settings import Settings
from configsvc.tracing.otel import OtelTracer

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
SECRET = "secret-of-a-client"


class Traced:
    """An application over a real store, and the spans that it makes."""

    def __init__(self, repo: Path, schemas: Path) -> None:
        self.exporter = InMemorySpanExporter()
        self.settings = Settings(repo=repo, schemas=schemas)

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the spans by their names; of several the last one."""
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    return Traced(tmp_path / "repo", tmp_path / "schemas")


@pytest.fixture
def client(traced: Traced) -> Iterator[Client]:
    with (
        closing(OtelTracer(SimpleSpanProcessor(traced.exporter))) as tracer,
        open_instance(traced.settings, tracer=tracer) as instance,
    ):
        app = create_app(instance.service, traced.settings, access=instance.access)
        yield Client(tracer.wsgi(app, route_key=ROUTE, id_key=REQUEST_ID))


def test_a_write_is_a_request_that_is_judged_and_lands_in_a_batch(traced: Traced, client: Client) -> None:
    sent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = client.put("/api/v1/configs/web", json={"a": 1}, headers=sent)
    assert answer.status_code == 201
    answer.close()
    spans = traced.spans()
    request = spans["PUT /api/v1/configs/<service:service>"]
    assert request.context is not None
    assert f"{request.context.trace_id:032x}" == TRACE
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["configsvc.request_id"]
    for name in ("judge", "land"):
        part = spans[name]
        assert part.parent is not None
        assert part.parent.span_id == request.context.span_id
        assert request.start_time <= part.start_time <= part.end_time <= request.end_time  # type: ignore[operator]
    batch = spans["batch"]
    assert batch.parent is None
    assert [link.context.trace_id for link in batch.links] == [request.context.trace_id]
    steps = ["taken", "built", "packed", "landed", "published", "answered"]
    assert batch.context is not None
    below = [span for span in spans.values() if span.parent and span.parent.span_id == batch.context.span_id]
    times = sorted((span.start_time or 0, span.end_time or 0, span.name) for span in below)
    assert [name for _, _, name in times] == steps
    assert all(before[1] <= after[0] for before, after in pairwise(times))


@pytest.mark.parametrize(("name", "found"), [("", "configsvc"), ("configs-of-berlin", "configs-of-berlin")])
def test_the_operator_may_name_the_service(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, name: str, found: str
) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    if name:
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
    with closing(OtelTracer(SimpleSpanProcessor(traced.exporter))) as tracer, tracer.span("x"):
        pass
    assert traced.spans()["x"].resource.attributes["service.name"] == found


def test_a_refusal_and_a_failure_are_told_apart(
    traced: Traced, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/nowhere").close()
    monkeypatch.setattr("configsvc.service.service.land", lambda *_, **__: 1 / 0)
    client.post("/config?service=x", json={"a": 1}).close()
    spans = traced.spans()
    assert spans["GET"].status.status_code is StatusCode.UNSET
    assert spans["POST /config"].status.status_code is StatusCode.ERROR


def test_spans_hold_nothing_that_a_client_sends(traced: Traced, client: Client) -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "traceparent": SECRET, "X-Secret": SECRET}
    client.post(f"/config?service={SECRET}", json={SECRET: SECRET}, headers=headers).close()
    client.get(f"/{SECRET}?{SECRET}={SECRET}", headers=headers).close()
    client.open("/", method=SECRET.upper(), headers=headers).close()
    told = "".join(span.to_json() for span in traced.exporter.get_finished_spans())
    assert len(traced.exporter.get_finished_spans()) >= 5
    assert SECRET not in told.lower()


def test_a_request_whose_answer_fails_has_a_span_all_the_same(traced: Traced) -> None:
    def failing(environ: object, start_response: object) -> list[bytes]:
        raise RuntimeError("failed")

    with closing(OtelTracer(SimpleSpanProcessor(traced.exporter))) as tracer:
        client = Client(tracer.wsgi(failing, route_key=ROUTE, id_key=REQUEST_ID))
        with pytest.raises(RuntimeError):
            client.get("/")
    assert traced.spans()["GET"].status.status_code is StatusCode.ERROR


def test_without_the_libraries_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "configsvc.tracing.otel", None)
    with (
        pytest.raises(SettingInvalid, match=r"pip install 'configsvc\[otel\]'"),
        _traced(Settings(traces=True)),
    ):
        pass


@pytest.mark.slow
def test_a_server_without_traces_does_not_load_the_libraries() -> None:
    code = "import sys, configsvc.cli.serve; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_traces_are_off_unless_they_are_asked_for() -> None:
    with _traced(Settings()) as tracer:
        assert tracer is None
