from __future__ import annotations

from typing import cast

import pytest
from flask.testing import FlaskClient

from configsvc.api.health import MAX_NAMED
from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.service.survey import Findings, Survey
from configsvc.settings import Settings
from configsvc.store.base import StoreStatus
from configsvc.store.memory import MemoryStore

pytestmark = pytest.mark.slow


def set_status(service: ConfigService, monkeypatch: pytest.MonkeyPatch, status: StoreStatus) -> None:
    monkeypatch.setattr(service, "status", lambda: status)


def test_a_process_that_answers_lives(client: FlaskClient) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_a_store_without_problems_is_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ready", "revision": 1})


def test_notes_and_local_edits_are_told_and_hinder_nobody(
    client: FlaskClient, service: ConfigService, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = StoreStatus(5, notes={"old-git": "update git"}, local_edits=("nginx.json",))
    set_status(service, monkeypatch, status)
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ready",
        "revision": 5,
        "notes": {"old-git": "update git"},
        "local_edits": ["nginx.json"],
    }


def test_a_store_with_a_problem_is_not_ready_but_alive(
    client: FlaskClient, service: ConfigService, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_status(service, monkeypatch, StoreStatus(5, problems={"diverged": "main was moved"}))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.get_json() == {
        "status": "unready",
        "revision": 5,
        "problems": {"diverged": "main was moved"},
    }
    assert response.headers["Retry-After"] == "1"
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_may_be_asked_for_with_head_and_never_from_a_cache(client: FlaskClient, path: str) -> None:
    response = client.head(path)
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert client.post(path).status_code == 405


@pytest.mark.parametrize("is_whole", [True, False])
def test_services_that_do_not_conform_are_named_and_hinder_nobody(is_whole: bool) -> None:
    names = tuple(f"s{number:03}" for number in range(MAX_NAMED + 5))
    told = ask_readiness(Findings(is_whole, names))
    assert told["status"] == "ready"
    assert told["nonconforming"] == {
        "is_whole": is_whole,
        "count": MAX_NAMED + 5,
        "services": list(names[:MAX_NAMED]),
    }


def test_where_all_conforms_nothing_is_said_of_it() -> None:
    assert "nonconforming" not in ask_readiness(Findings(True, ()))


def ask_readiness(findings: Findings) -> dict[str, object]:
    class Known:
        def __init__(self) -> None:
            self.findings = findings

    app = create_app(ConfigService(MemoryStore()), Settings(), survey=cast(Survey, Known()))
    answer: dict[str, object] = app.test_client().get("/readyz").get_json()
    return answer
