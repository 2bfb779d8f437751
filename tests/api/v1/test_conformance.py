"""The contract held to what the service really answers, by requests that a machine thinks up.

Schemathesis makes requests of `openapi.yaml`, right ones and wrong ones, alone and in chains along the
links, and checks each answer: no 5xx; status, type, headers and body as the contract has them; right
requests taken, wrong ones refused.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from configsvc.access.credentials import token_hash
from configsvc.app import create_app
from configsvc.core.changes import Plan
from configsvc.core.names import principal_path
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import Principal, Role, Token
from configsvc.documents.principals import write_principal
from configsvc.service import ConfigService
from configsvc.service.changes import PLAIN
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.access.book import bearer, token_of

KEEPER = "keeper"
PHASES = ("examples", "coverage", "fuzzing", "stateful")
# What the state may make of a right request, beside success.
RIGHT = ["2xx", "304", "404", "406", "409", "410", "412", "413", "422"]
# What a wrong request may meet before what is wrong with it is looked at.
WRONG = ["304", "400", "404", "405", "406", "409", "410", "412", "413", "415", "422"]


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Take out of a right request what no schema can say is wrong, such as a cursor that nobody gave out.

    An `If-Match` that Schemathesis' coverage phase shortens to `0`, against its own pattern, goes too.
    """
    _spare_who_asks(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    query, headers = case.query or {}, case.headers or {}
    if "message" in query:
        headers.pop("Config-Message", None)
    if "at" in query:
        query.pop("version", None)
    query.pop("cursor", None)
    query.pop("wait", None)
    for name in ("If-Match", "If-None-Match"):
        if headers.get(name) == "0":
            headers.pop(name)
    _make_right(case.body)
    if case.operation.label == "PATCH /config" and not isinstance(case.body, dict):
        case.query = query | {"enabled": "true"}
    if case.operation.label == "POST /api/v1/commits" and isinstance(case.body, dict):
        subjects: dict[str, Any] = {}
        for change in case.body.get("changes", ()):
            if "document" in change:
                change["document"] = "{}"
            subjects.setdefault(change.get("service", change.get("schema")), change)
        case.body["changes"] = list(subjects.values())


def _spare_who_asks(case: Any) -> None:
    if (case.path_parameters or {}).get("name") == KEEPER:
        case.path_parameters = case.path_parameters | {"name": "another"}


def _make_right(body: Any) -> None:
    """Give texts that a pattern alone cannot hold: moments that there are, and nothing that misleads."""
    token = body.get("token") if isinstance(body, dict) else None
    if isinstance(token, dict):
        token.update(dict.fromkeys(token.keys() & {"created", "expires"}, "2999-01-31T00:00:00Z"))
        body.update(dict.fromkeys(body.keys() & {"description"}, "described"))


def guarded(service: ConfigService) -> ConfigService:
    """Return `service` with an admin, so that the calls about principals do not shut the others out."""
    principal = Principal(
        KEEPER, ((parse_pattern("**"), Role.ADMIN),), (Token(token_hash(token_of(KEEPER))),)
    )
    plan = Plan({principal_path(KEEPER): write_principal(principal)}, "Make an admin\n")
    service.administer(lambda view: plan, PLAIN, KEEPER)
    return service


def findings(
    service: ConfigService, phases: tuple[str, ...], max_examples: int, *, same: bool = True
) -> tuple[list[str], int]:
    """Return what was found wrong, and how many requests were made to find it.

    Args:
        same: Whether each run makes the same requests; new ones are looked for in the soak run, where
            what they find holds up nobody else's change.
    """
    config = SchemathesisConfig.from_dict(
        {
            "generation": {"max-examples": max_examples, "database": "none", "deterministic": same},
            "continue-on-failure": True,
            "headers": {"Authorization": bearer(KEEPER)},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": RIGHT},
                "negative_data_rejection": {"expected-statuses": WRONG},
            },
            # A document that is wrong is what this call is there to tell of.
            "operations": [
                {
                    "include-operation-id": "validate",
                    "checks": {"negative_data_rejection": {"enabled": False}},
                }
            ],
        }
    )
    app = create_app(service, Settings())
    whole = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)
    schema = whole.exclude(operation_id="watch")  # its answer does not end; tests/edge/test_watches.py
    found: list[str] = []
    count = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            count += len(event.recorder.cases)
            found += _failures(event.recorder)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.append(repr(event))
    return found, count


def _failures(recorder: Any) -> list[str]:
    """Return what one scenario found, each with the command that shows it and the answer to it."""
    return [
        f"{check.name}: {check.failure_info.failure.message[:500]}\n{check.failure_info.code_sample[:2000]}"
        f"\n{getattr(recorder.interactions[name].response, 'content', b'')[:500]!r}"
        for name, checks in recorder.checks.items()
        for check in checks
        if check.failure_info is not None
    ]


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    ("phases", "max_examples", "least"),
    [(("examples", "coverage"), 1, 1500), (("fuzzing",), 2, 40), (("stateful",), 8, 20)],
    ids=["every case of every schema", "fuzzing", "chains"],
)
def test_the_service_keeps_its_contract(phases: tuple[str, ...], max_examples: int, least: int) -> None:
    found, count = findings(guarded(ConfigService(MemoryStore())), phases, max_examples)
    assert found == []
    assert count >= least


@pytest.mark.soak
def test_the_service_keeps_its_contract_for_a_long_time(service: ConfigService) -> None:
    found, count = findings(guarded(service), PHASES, 400, same=False)
    assert found == []
    assert count >= 10_000
