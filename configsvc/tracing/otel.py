"""Spans of requests, of the parts of a write, and of the batches that writes land in.

Nothing that a client sends is in a span but what its `traceparent` says: no name of a service or a
principal, no query, no document.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from werkzeug.wsgi import ClosingIterator

from configsvc import __version__
from configsvc.core.measures import METHODS, BatchReport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NS = 1_000_000_000


class OtelTracer:
    """A `Tracer` whose spans go to `processor`.

    Args:
        processor: Takes spans that have ended; shut down by `close`.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "configsvc"}
        resource = Resource.create({**named, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("configsvc", __version__)

    def span(self, name: str) -> AbstractContextManager[object]:
        """Return a block that is a span below the one that this thread is in."""
        return self._tracer.start_as_current_span(name)

    def mark(self) -> object:
        """Return the context of the span that this thread is in; None outside of any."""
        found = trace.get_current_span().get_span_context()
        return found if found.is_valid else None

    def note_batch(self, report: BatchReport) -> None:
        """Make a span of a batch, linked to those of its writes, and one of each of its steps."""
        ended = int(report.ended_s * NS)
        started = ended - int(sum(seconds for _, seconds in report.steps) * NS)
        links = [Link(mark) for mark in report.marks if isinstance(mark, SpanContext)]
        attributes = {
            "configsvc.writes": len(report.queued_s),
            "configsvc.accepted": report.accepted,
            "configsvc.refused": report.refused,
        }
        batch = self._tracer.start_span(
            "batch", Context(), attributes=attributes, links=links, start_time=started
        )
        below = trace.set_span_in_context(batch, Context())
        at = started
        for name, seconds in report.steps:
            step = self._tracer.start_span(name, below, start_time=at)
            at += int(seconds * NS)
            step.end(at)
        batch.end(ended)

    def wsgi(self, app: WSGIApplication, *, route_key: str, id_key: str) -> WSGIApplication:
        """Return `app` with a span of each request.

        Args:
            route_key: Where `app` leaves the route of a request, in its environment.
            id_key: Where it leaves what the log calls it.
        """
        return _TracedApp(app, self._tracer, route_key, id_key)

    def close(self) -> None:
        """Hand on what has not been yet, for some seconds."""
        self._provider.shutdown()


class _TracedApp:
    def __init__(self, app: WSGIApplication, tracer: trace.Tracer, route_key: str, id_key: str) -> None:
        self._app = app
        self._tracer = tracer
        self._route_key = route_key
        self._id_key = id_key
        self._propagator = TraceContextTextMapPropagator()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent = {name: environ.get(f"HTTP_{name.upper()}", "") for name in ("traceparent", "tracestate")}
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else "_OTHER"
        span = self._tracer.start_span(
            method,
            self._propagator.extract(sent, Context()),
            SpanKind.SERVER,
            {"http.request.method": method},
        )
        statuses: list[int] = []

        def noted(status, response_headers, exc_info=None):  # type: ignore[no-untyped-def]
            statuses[:] = [int(status[:3])]
            return start_response(status, response_headers, exc_info)

        def end() -> None:
            status = statuses[0] if statuses else 500
            route = environ.get(self._route_key, "")
            span.update_name(f"{method} {route}" if route else method)
            span.set_attribute("http.response.status_code", status)
            span.set_attribute("http.route", route)
            span.set_attribute("configsvc.request_id", environ.get(self._id_key, ""))
            if status >= 500:
                span.set_status(StatusCode.ERROR)
            span.end()

        with _attached(trace.set_span_in_context(span)):
            try:
                return ClosingIterator(self._app(environ, noted), end)
            except BaseException:
                end()
                raise


@contextmanager
def _attached(context: Context) -> Iterator[None]:
    token = contexts.attach(context)
    try:
        yield
    finally:
        contexts.detach(token)


def exporting_tracer() -> OtelTracer:
    """Return a tracer that sends spans by OTLP over HTTP, to where the `OTEL_` variables say."""
    return OtelTracer(BatchSpanProcessor(OTLPSpanExporter()))
