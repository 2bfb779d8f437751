"""`GET /metrics`, and the requests that it tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, g, request

from configsvc.access.decide import Action
from configsvc.api.guard import require
from configsvc.core.patterns import EVERYTHING
from configsvc.metrics.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

METRICS_PATH = "/metrics"
ENDPOINT = "metrics.read"
ROUTE = "configsvc.route"
CODE = "configsvc.code"
"""Where, in the environment of a request, stand its route, and the code of the error it was told."""


def make_metrics_blueprint(metrics: Metrics, *, is_open: bool) -> Blueprint:
    """Return the blueprint of `/metrics`.

    Args:
        is_open: No credential is asked for; the guard has to know of `ENDPOINT` then.
    """
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get(METRICS_PATH)
    def read() -> Response:
        if not is_open:
            require(Action.READ, EVERYTHING)
        content_type, text = metrics.text(request.headers.get("Accept", ""))
        return Response(text, content_type=content_type, headers={"Cache-Control": "no-store"})

    return blueprint


def install_metrics(app: Flask) -> None:
    """Note the route of each request of `app`, and the code that it was told, for `note_answered`."""

    @app.after_request
    def note(response: Response) -> Response:
        request.environ[ROUTE] = "" if request.url_rule is None else request.url_rule.rule
        if response.status_code >= 400:
            request.environ[CODE] = g.get("problem_code", "")
        return response


def note_answered(metrics: Metrics, environ: WSGIEnvironment, status: int, seconds: float) -> None:
    """Count a request whose answer has ended."""
    metrics.note_request("flask", environ.get(ROUTE, ""), environ["REQUEST_METHOD"], status, seconds)
    code = environ.get(CODE, "internal" if status == 500 else "")
    if code:
        metrics.note_refusal(code)
