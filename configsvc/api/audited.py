"""Requests that change something, or were refused, told to the audit log."""

from __future__ import annotations

from flask import Flask, Response, g, request

from configsvc.access.decide import Admission
from configsvc.api import headers
from configsvc.api.access_log import REQUEST_ID
from configsvc.audit import Act, Origin, note
from configsvc.service import ConfigService

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED = frozenset({401, 403})
_REJECTED = "v1.POST /configs/<service:service>/-/rejections"
_QUIET_ENDPOINTS = frozenset({"git.fetch", "git.push", "v1.POST /validate", _REJECTED})
"""They change nothing, or (a push, a rejection) are told about where they are judged."""


def install_audit(app: Flask, service: ConfigService) -> None:
    """Note each change that `app` makes or refuses, and each credential or right that it refuses."""

    @app.after_request
    def audit(response: Response) -> Response:
        if _is_told(response.status_code):
            note(_act(response, service))
        return response


def origin_of(door: str) -> Origin:
    """Return where the request that is answered was made."""
    return Origin(door, request.remote_addr or "", str(request.environ.get(REQUEST_ID, "")))


def _is_told(status: int) -> bool:
    if status in _REFUSED:
        # A client that sent nothing was asked for its credential: git and browsers begin like that.
        return status == 403 or "Authorization" in request.headers or request.method not in _SAFE
    return request.method not in _SAFE and request.endpoint not in _QUIET_ENDPOINTS


def _act(response: Response, service: ConfigService) -> Act:
    found = g.get("admission")
    status = response.status_code
    is_done = status < 400
    revision = int(response.headers.get(headers.REVISION, 0)) if is_done else 0
    return Act(
        origin_of("git" if request.blueprint == "git" else "api"),
        found.principal.name if isinstance(found, Admission) else "",
        request.method,
        _path(),
        "" if is_done else g.get("problem_code", str(status)),
        status,
        revision,
        service.snapshot().record(revision).commit_id if revision else "",
    )


def _path() -> str:
    """Return the service that a request is about, else its path: never its query, which may hold anything."""
    named = (request.view_args or {}).get("service") or request.args.get("service")
    return str(named) if named and request.blueprint != "git" else request.path
