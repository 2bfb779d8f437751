"""`POST /api/v1/configs/{service}/-/rejections`: a client tells that it did not adopt a version.

Nothing is changed: it is a line in the log of clients, through the logger `configsvc.clients`, and a count,
so that whoever wrote the version learns of it where the server is watched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.access.rates import Buckets, client_group
from configsvc.api.access_log import printable
from configsvc.api.audited import origin_of
from configsvc.api.guard import admission, require
from configsvc.api.parameters import Query
from configsvc.api.v1.bodies import as_members, check_known, integer_member, needed, read_members, text_member
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service
from configsvc.core.rejections import MAX_APPLICATION_CHARS, MAX_PROBLEM_CHARS, MAX_PROBLEMS
from configsvc.service import ConfigService
from configsvc.service.lookups import any_entry

LOGGER = "configsvc.clients"
PER_S = 1.0
BURST_S = 100.0
"""Rejections a second of one principal at one address, and for how many seconds they may come at once."""

_log = logging.getLogger(LOGGER)


class RejectionsApi:
    """Takes what clients say of versions.

    Args:
        count: Called once for each.
    """

    def __init__(self, service: ConfigService, count: Callable[[], None]) -> None:
        self._service = service
        self._count = count
        self._buckets = Buckets(PER_S, BURST_S)

    def post(self, service: str) -> Response:
        """Log that a version was not adopted, by whom and why."""
        Query(request.query_string, ())
        require(Action.READ, parse_service(service))
        self._take_turn()
        members = read_members()
        check_known(members, ("version", "problems", "application"))
        version = needed("version", integer_member(members, "version"))
        application = _text("application", text_member(members, "application") or "", MAX_APPLICATION_CHARS)
        problems = _problems(members.get("problems", []))
        any_entry(self._service.snapshot(), service, version)
        self._count()
        origin = origin_of("api")
        fields = {
            "service": service,
            "version": version,
            "application": printable(application),
            "principal": admission().principal.name,
            "remote": origin.remote,
            "request_id": origin.request_id,
            "problems": [printable(problem) for problem in problems],
        }
        _log.warning(
            "%s: version %d is not adopted by %s (%s, %s): %s",
            service,
            version,
            fields["application"] or "an application",
            fields["principal"],
            origin.remote,
            printable("; ".join(problems)) or "no reason is given",
            extra={name: value for name, value in fields.items() if value not in ("", [])},
        )
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response

    def _take_turn(self) -> None:
        """Hold back who says too much: each rejection is a line of the log, which is not dropped."""
        client = f"{admission().principal.name} {client_group(request.remote_addr or '')}"
        self._buckets.check(
            client, f"rejections: more than {PER_S:g} a second by one client (expected: fewer)"
        )


def _problems(value: object) -> list[str]:
    """Return what is said to be wrong, a line each: `/pointer: message`."""
    if not isinstance(value, list) or len(value) > MAX_PROBLEMS:
        raise RequestInvalid(f"problems: another value (expected: a list of <= {MAX_PROBLEMS} problems)")
    return [_problem(as_members("problem", each)) for each in value]


def _problem(members: Mapping[str, object]) -> str:
    check_known(members, ("pointer", "message"))
    pointer = _text("pointer", text_member(members, "pointer") or "", MAX_PROBLEM_CHARS)
    message = _text("message", needed("message", text_member(members, "message")), MAX_PROBLEM_CHARS)
    return f"{pointer or 'document'}: {message}"


def _text(name: str, text: str, most: int) -> str:
    if len(text) > most:
        raise RequestInvalid(f"{name}: {len(text)} characters (expected: <= {most})")
    return text
