"""`POST /api/v1/validate`: what the gate would say of a document."""

from __future__ import annotations

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.api.bodies import body_format, read_body
from configsvc.api.guard import asker, require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import answer, to_json
from configsvc.api.v1.negotiation import JSON
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service
from configsvc.service import ConfigService


class ValidateApi:
    """Judges documents that nobody writes."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def post(self) -> Response:
        """Answer all that the gate has against the body as the document of a service."""
        query = Query(request.query_string, ("service",))
        service = parse_service(query.service())
        require(Action.READ, service)
        format_ = body_format(request)
        data = read_body(request, self._service.bounds.max_bytes)
        if not data:
            raise RequestInvalid("body: is empty (expected: a document)")
        snapshot = self._service.snapshot()
        violations = self._service.judge(snapshot, service, data, format_, who=asker())
        told = {"valid": not violations, "violations": [each.as_json() for each in violations]}
        return answer(to_json(told), JSON, snapshot.revision)
