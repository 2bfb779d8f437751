"""The whole HTTP service as one plain WSGI application, which any WSGI server can run."""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import ClosingIterator

from configsvc.access.decide import Access
from configsvc.access.rates import RateLimits
from configsvc.api import headers
from configsvc.api.access_log import PRINCIPAL, REQUEST_ID, log_access
from configsvc.api.audited import install_audit
from configsvc.api.guard import install_guard
from configsvc.api.health import make_health_blueprint
from configsvc.api.hosts import find_host_problem
from configsvc.api.metrics import ENDPOINT, install_metrics, make_metrics_blueprint, note_answered
from configsvc.api.problems import KNOWN_CODES, Problem, http_problem, problem_of, render
from configsvc.api.rates import install_rates
from configsvc.api.reference_pages import make_reference_blueprint
from configsvc.api.root import make_root_blueprint
from configsvc.api.seed import make_seed_blueprint
from configsvc.api.v1.paths import ServiceConverter
from configsvc.api.v1.routes import make_v1_blueprint
from configsvc.core.errors import ConfigError
from configsvc.gitdoor.pushers import Pushers
from configsvc.gitdoor.smart import make_git_blueprint
from configsvc.metrics.metrics import Metrics
from configsvc.service import ConfigService
from configsvc.service.survey import Survey
from configsvc.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger("configsvc.app")


def create_app(
    service: ConfigService,
    settings: Settings,
    *,
    survey: Survey | None = None,
    pushers: Pushers | None = None,
    access: Access | None = None,
    rates: RateLimits | None = None,
    metrics: Metrics | None = None,
) -> Flask:
    """Return the application: every route over `service`.

    Args:
        access: Decides who may do what; None for one by the principals of `service`.
        survey: Tells `/readyz` which services do not conform to their schemas.
        pushers: Told of pushes over HTTP; without it there is no git door.
        metrics: Told of each request, and shown at `/metrics`; None for some of its own.
        rates: Counts requests that nothing in front has counted; None: nobody is limited.
    """
    app = Flask("configsvc", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False  # else `//config` is answered by a redirect in HTML
    app.url_map.converters["service"] = ServiceConverter
    metrics = Metrics() if metrics is None else metrics
    metrics.expect_refusals(KNOWN_CODES)
    access = Access(service.snapshot) if access is None else access
    allowed_hosts = settings.allowed_hosts(is_closed=not access.is_open)

    if rates is not None:
        install_rates(app, rates)

    @app.before_request
    def check_host() -> Response | None:
        problem = find_host_problem(request.environ.get("HTTP_HOST"), allowed_hosts)
        return _problem_response(problem) if problem else None

    install_guard(app, access, service, more_public={ENDPOINT} if settings.open_metrics else ())
    app.register_blueprint(make_root_blueprint(service, settings))
    app.register_blueprint(make_reference_blueprint(service))
    app.register_blueprint(make_v1_blueprint(service, metrics.note_rejection))
    app.register_blueprint(make_seed_blueprint(service))
    app.register_blueprint(make_health_blueprint(service, survey))
    app.register_blueprint(make_metrics_blueprint(metrics, is_open=settings.open_metrics))
    if pushers is not None:
        root = settings.repo.absolute()
        app.register_blueprint(make_git_blueprint(root, settings, pushers, service.snapshot))
    _handle_errors(app)
    # What is done after a request runs last in, first out: the headers are there when it is noted.
    install_audit(app, service)
    _add_headers(app, service)
    install_metrics(app)
    app.wsgi_app = AccessLogged(app.wsgi_app, metrics)  # type: ignore[method-assign]
    return app


def unlogged(app: Flask) -> WSGIApplication:
    """Return `app` without its log of requests, for who asks it on its own account."""
    return app.wsgi_app.app if isinstance(app.wsgi_app, AccessLogged) else app.wsgi_app


def _handle_errors(app: Flask) -> None:
    @app.errorhandler(ConfigError)
    def refuse(error: ConfigError) -> Response:
        problem = problem_of(error)
        if problem.statuses.api == 500:
            return fail(error)
        return _problem_response(problem)

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> Response:
        status = error.code or 500
        response = _problem_response(http_problem(status, _message_of(error, status)))
        allow = error.get_response().headers.get("Allow")
        if allow is not None:
            response.headers["Allow"] = allow
        return response

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        request_id = request.environ.get(REQUEST_ID, "")
        _log.error("request %s failed", request_id, exc_info=error, extra={"request_id": request_id})
        details = [{"message": "an error of the server; its log has more", "request_id": request_id}]
        return _problem_response(http_problem(500, details=details))


def _add_headers(app: Flask, service: ConfigService) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        if request.method == "OPTIONS" and response.status_code == 200:
            response.status_code = 204
            del response.headers["Content-Type"]
        if headers.REVISION not in response.headers:
            response.headers[headers.REVISION] = str(service.snapshot().revision)
        for name, value in headers.SECURITY:
            response.headers.setdefault(name, value)
        return response


def _message_of(error: HTTPException, status: int) -> str:
    """Return what to tell beyond the status; Werkzeug's own sentences say no more than it does."""
    if status == 405:
        return f"method: {request.method[:40]!a} is not one of this path's"
    if status == 413:
        return f"body: larger than {request.max_content_length} bytes"
    return ""


def _problem_response(problem: Problem) -> Response:
    g.problem_code = problem.code
    rendered = render(problem, request.path)
    return Response(rendered.body, status=rendered.status, headers=list(rendered.headers))


class AccessLogged:
    """A WSGI application that logs and counts each request of another one when its answer has ended."""

    def __init__(self, app: WSGIApplication, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics
        self._prefix = secrets.token_hex(4)  # tells the processes apart whose lines are in one log
        self._numbers = itertools.count(1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        started = time.perf_counter()
        request_id = environ[REQUEST_ID] = f"{self._prefix}-{next(self._numbers):x}"
        statuses: list[int] = []

        def noted(status, response_headers, exc_info=None):  # type: ignore[no-untyped-def]
            statuses[:] = [int(status[:3])]
            return start_response(status, response_headers, exc_info)

        def log() -> None:
            target = environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ["QUERY_STRING"] else "")
            status = statuses[0] if statuses else 500
            spent_s = time.perf_counter() - started
            note_answered(self._metrics, environ, status, spent_s)
            log_access(
                environ["REQUEST_METHOD"],
                target,
                status,
                spent_s,
                request_id,
                remote=environ.get("REMOTE_ADDR", ""),
                principal=environ.get(PRINCIPAL, ""),
            )

        return ClosingIterator(self.app(environ, noted), log)
