"""The one table from error class to status, and an error as an answer in either dialect.

Below `/config` an error has the original system's body; everywhere else it is
an RFC 9457 problem document with a stable `code`.  Knows nothing of Flask, so
that the layers in front of it refuse in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from configsvc.core import errors

CHALLENGES = ('Bearer realm="configsvc"', 'Basic realm="configsvc", charset="UTF-8"')
"""What an answer 401 asks for (RFC 6750, RFC 7617); git and old clients know Basic only."""

RETRY_AFTER_S = 1
"""What an answer that time will change tells the client to wait, in seconds, unless its error says more."""

SEED_PATH = "/config"


class Statuses(NamedTuple):
    """Status of one error class: in the full API, and below `/config`."""

    api: int
    seed: int


def _both(status: int) -> Statuses:
    return Statuses(status, status)


_CONFLICT = Statuses(api=409, seed=422)

STATUSES: Mapping[type[errors.ConfigError], Statuses] = {
    errors.ConfigError: _both(500),
    errors.RequestInvalid: _both(400),
    errors.NameInvalid: _both(400),
    errors.PatternInvalid: _both(400),
    errors.DocumentInvalid: _both(400),
    errors.DocumentTooLarge: _both(413),
    errors.EditTooLarge: _both(413),
    errors.MediaTypeUnsupported: _both(415),
    errors.RequestTooLarge: _both(413),
    errors.Unauthorized: _both(401),
    errors.Forbidden: _both(403),
    errors.NotFound: _both(404),
    errors.ServiceNotFound: _both(404),
    errors.VersionNotFound: _both(404),
    errors.VersionDeleted: _both(410),
    errors.SchemaNotFound: _both(404),
    errors.RevisionNotFound: _both(404),
    errors.ValueNotFound: _both(404),
    errors.PrincipalNotFound: _both(404),
    errors.Conflict: _CONFLICT,
    errors.ServiceExists: _CONFLICT,
    errors.ServiceEnabled: _CONFLICT,
    errors.PrincipalExists: _CONFLICT,
    errors.PrincipalsConflict: _CONFLICT,
    errors.PathConflict: _CONFLICT,
    errors.RequestIdReused: _CONFLICT,
    errors.PatchFailed: _CONFLICT,
    errors.DocumentBroken: _CONFLICT,
    errors.PushRefused: _CONFLICT,
    errors.PreconditionFailed: _both(412),
    errors.RevisionMismatch: _both(412),
    errors.RevisionUnreached: _both(412),
    errors.NotAcceptable: _both(406),
    errors.SchemaViolated: _both(422),
    errors.SchemaTooSlow: _both(422),
    errors.Unavailable: _both(503),
    errors.WriteFailed: _both(503),
    errors.OutcomeUnknown: _both(503),
    errors.StoreDiverged: _both(503),
    errors.QueueFull: _both(503),
    errors.RateExceeded: _both(429),
    errors.GitBusy: _both(503),
    errors.ServiceClosed: _both(503),
    errors.RepositoryUnusable: _both(503),
    errors.RepositoryLocked: _both(503),
    errors.SettingInvalid: _both(500),
}

CODES = {
    400: "request-invalid",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "request-too-large",
    415: "media-type-unsupported",
    421: "host-unknown",
    431: "head-too-large",
    500: "internal",
    503: "unavailable",
    505: "http-version-unsupported",
}
KNOWN_CODES = frozenset({*CODES.values(), *(each.code for each in STATUSES)})
"""Every code that an answer may have."""
_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_SEED_MESSAGES = {404: "resource not found", 422: "unprocessable"}
# Python 3.13 renamed some phrases; answers must not depend on its version.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}


class Problem(NamedTuple):
    """An error as it is told to a client.

    Args:
        message: One sentence; empty when the status says it all.
        details: Findings as plain JSON data.
        is_bare: Below `/config` the original system said nothing beyond the
            status, so nothing is added there.
        retry_after_s: What an answer that time will change tells the client to wait.
    """

    statuses: Statuses
    code: str
    message: str = ""
    details: Sequence[Mapping[str, object]] = ()
    is_bare: bool = False
    retry_after_s: int = RETRY_AFTER_S


class Rendered(NamedTuple):
    """An error as an HTTP answer; `headers` include the content type."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def problem_of(error: errors.ConfigError) -> Problem:
    """Return how `error` is told; the nearest class in the table decides."""
    statuses = next(STATUSES[base] for base in type(error).__mro__ if base in STATUSES)
    is_bare = isinstance(error, errors.ServiceNotFound | errors.ServiceExists)
    after_s = error.retry_after_s if isinstance(error, errors.Unavailable) else RETRY_AFTER_S
    return Problem(statuses, error.code, error.message, error.details, is_bare, after_s)


def http_problem(status: int, message: str = "", details: Sequence[Mapping[str, object]] = ()) -> Problem:
    """Return the problem for an HTTP status that no error class stands for."""
    code = CODES.get(status) or phrase(status).lower().replace(" ", "-")
    return Problem(_both(status), code, message, details)


def is_seed_path(path: str) -> bool:
    """Return whether errors of `path` have the original system's body."""
    return path == SEED_PATH or path.startswith(SEED_PATH + "/")


def render(problem: Problem, path: str) -> Rendered:
    """Return the answer that tells `problem` to a client of `path`."""
    if is_seed_path(path):
        status, media_type, body = problem.statuses.seed, "application/json", _seed_body(problem)
    else:
        status, media_type, body = problem.statuses.api, "application/problem+json", _api_body(problem)
    headers = [("Content-Type", media_type), ("Cache-Control", "no-store")]
    if status == HTTPStatus.UNAUTHORIZED:
        headers.extend(("WWW-Authenticate", challenge) for challenge in CHALLENGES)
    if status == HTTPStatus.NOT_ACCEPTABLE:
        headers.append(("Vary", "Accept"))
    if status in _LATER or problem.code == errors.RevisionUnreached.code:
        headers.append(("Retry-After", str(problem.retry_after_s)))
    return Rendered(status, tuple(headers), body)


def seed_json(value: object) -> bytes:
    """Return JSON laid out as the original system did: two-space indent, sorted keys, final newline."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode("ascii")


def phrase(status: int) -> str:
    """Return the reason phrase of a status (RFC 9110)."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def _seed_body(problem: Problem) -> bytes:
    status = problem.statuses.seed
    message = _SEED_MESSAGES.get(status) or phrase(status).lower()
    body: dict[str, object] = {"error": status, "message": message, "success": False}
    details = () if problem.is_bare else _findings(problem)
    if details:
        body["details"] = details
    return seed_json(body)


def _findings(problem: Problem) -> Sequence[Mapping[str, object]]:
    if not problem.message:
        return problem.details
    if not problem.details:
        return ({"code": problem.code, "message": problem.message},)
    return [{"message": problem.message, **detail} for detail in problem.details]


def _api_body(problem: Problem) -> bytes:
    status = problem.statuses.api
    body: dict[str, object] = {"type": "about:blank", "title": phrase(status), "status": status}
    body["code"] = problem.code
    if problem.message:
        body["detail"] = problem.message
    if problem.details:
        body["details"] = list(problem.details)
    return (json.dumps(body, indent=2) + "\n").encode("ascii")
