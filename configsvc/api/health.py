"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import json

from flask import Blueprint, Response

from configsvc.access.decide import Action
from configsvc.api import headers
from configsvc.api.guard import may
from configsvc.api.problems import RETRY_AFTER_S
from configsvc.core.patterns import EVERYTHING
from configsvc.service import ConfigService
from configsvc.service.survey import Findings, Survey
from configsvc.store.base import StoreStatus

MAX_NAMED = 100
"""Most services that do not conform and are named."""


def make_health_blueprint(service: ConfigService, survey: Survey | None = None) -> Blueprint:
    """Return the blueprint of `/healthz` and `/readyz`.

    Args:
        survey: Tells which services do not conform to their schemas.
    """
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def liveness() -> Response:
        return _json_response({"status": "ok"}, 200)

    @blueprint.get("/readyz")
    def readiness() -> Response:
        status = service.status()
        told = _readiness(status)
        if may(Action.READ, EVERYTHING):
            told |= _details(status) | ({} if survey is None else _conformance(survey.findings))
        response = _json_response(told, 503 if status.problems else 200)
        response.headers[headers.REVISION] = str(status.revision)
        if status.problems:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    return blueprint


def _readiness(status: StoreStatus) -> dict[str, object]:
    """Return what everyone may know."""
    return {"status": "unready" if status.problems else "ready", "revision": status.revision}


def _details(status: StoreStatus) -> dict[str, object]:
    """Return what an operator has to know; notes and local edits hinder nobody."""
    findings = {
        "problems": status.problems,
        "notes": status.notes,
        "local_edits": list(status.local_edits),
    }
    return {name: found for name, found in findings.items() if found}


def _conformance(findings: Findings) -> dict[str, object]:
    """Return which services do not conform, and which schemas are not in force or refer too far."""
    told: dict[str, object] = {}
    if findings.services:
        told["nonconforming"] = {
            "is_whole": findings.is_whole,
            "count": len(findings.services),
            "services": list(findings.services[:MAX_NAMED]),
        }
    if findings.operator:
        told["operator_schemas"] = [str(violation) for violation in findings.operator[:MAX_NAMED]]
    if findings.references:
        told["far_references"] = list(findings.references[:MAX_NAMED])
    return told


def _json_response(value: object, status: int) -> Response:
    response = Response(json.dumps(value, indent=2) + "\n", status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
