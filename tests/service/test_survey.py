from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from configsvc.service import ConfigService
from configsvc.service.survey import Findings, Survey
from configsvc.store.memory import MemoryStore
from configsvc.validation.conformance import SchemaGate
from tests.service.asking import integer_schema, json_put, schema_put

pytestmark = pytest.mark.slow

PATIENCE_S = 30.0


@pytest.fixture
def ungated() -> MemoryStore:
    """Return a repository with documents that came in before their schemas."""
    store = MemoryStore()
    service = ConfigService(store)
    service.commit([json_put(f"payments/{n}", {"a": "x" if n % 2 else 1}) for n in range(6)])
    service.commit([schema_put("payments/_default.json", integer_schema("a")), json_put("free", {"a": "x"})])
    return store


def wait_for(survey: Survey, wanted: Findings) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while survey.findings != wanted:
        assert time.monotonic() < give_up_at, survey.findings
        time.sleep(0.02)


def test_what_was_there_before_its_schema_is_found_and_goes_when_it_is_mended(
    ungated: MemoryStore, gate: SchemaGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configsvc.service.survey.INTERVAL_S", 0.01)
    service = ConfigService(ungated, gate=gate)
    with Survey(gate, service.snapshot) as survey:
        wait_for(survey, Findings(True, ("payments/1", "payments/3", "payments/5")))
        service.commit([json_put("payments/3", {"a": 3})])
        wait_for(survey, Findings(True, ("payments/1", "payments/5")))


@pytest.mark.slow
def test_the_operators_schemas_are_applied_when_they_change(
    ungated: MemoryStore, gate: SchemaGate, operator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configsvc.service.survey.INTERVAL_S", 0.01)
    broken = ("payments/1", "payments/3", "payments/5")
    with Survey(gate, ConfigService(ungated).snapshot) as survey:
        wait_for(survey, Findings(True, broken))
        (operator / "free.json").write_text(json.dumps(integer_schema("a")))
        wait_for(survey, Findings(True, ("free", *broken)))
