"""Requests counted in front of the routes, where nothing in front of the application has done so."""

from __future__ import annotations

from flask import Flask, request

from configsvc.access.rates import RateLimits
from configsvc.api.metrics import METRICS_PATH

COUNTED = "configsvc.counted"
"""In the environment of a request that was counted already, and whose address is the client's."""

PROBES = frozenset({"/healthz", "/readyz", METRICS_PATH})
"""Asked by what looks after the server, and never too often."""


def is_counted_path(path: str) -> bool:
    """Return whether requests for `path` count."""
    return path not in PROBES


def install_rates(app: Flask, rates: RateLimits) -> None:
    """Count every request of `app` before anything else is done with it."""

    @app.before_request
    def count() -> None:
        if COUNTED in request.environ:
            return
        forwarded = ",".join(request.headers.getlist("X-Forwarded-For"))
        address = rates.client_of(request.remote_addr or "", forwarded)
        request.environ["REMOTE_ADDR"] = address
        if is_counted_path(request.path):
            rates.check(address, request.headers.get("Authorization"))
