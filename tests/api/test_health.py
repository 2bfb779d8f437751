from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from configsvc.service import ConfigService
from configsvc.store.base import StoreStatus


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
