"""What the audit log has of requests."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.access.book import Book, bearer, token_of

PATH = "/api/v1/configs/here/there"


@pytest.fixture
def book() -> Book:
    book = Book(MemoryStore())
    book.put("here/there.json", b'{"v": 1}\n')
    book.add("admin", all="admin")
    book.add("reader", here__all="reader")
    return book


@pytest.fixture
def client(book: Book) -> FlaskClient:
    return create_app(ConfigService(book.store), Settings(), access=book.access).test_client()


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "configsvc.audit")


def acts(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(each.getMessage()) for each in caplog.records if each.name == "configsvc.audit"]


def headers(who: str) -> dict[str, str]:
    return {"Authorization": bearer(who)} if who else {}


def test_a_write_is_told_with_who_what_where_and_its_commit(
    book: Book, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.put(PATH, json={"v": 2}, headers=headers("admin")).status_code == 200
    (act,) = acts(caplog)
    head = book.store.snapshot()
    assert act.pop("time").endswith("Z")
    assert act.pop("request_id")
    assert act == {
        "outcome": "done",
        "door": "api",
        "remote": "127.0.0.1",
        "principal": "admin",
        "action": "PUT",
        "path": "here/there",
        "status": 200,
        "revision": head.revision,
        "commit_id": head.commit_id,
    }


@pytest.mark.parametrize(
    ("method", "who", "status", "code"),
    [
        ("PUT", "reader", 403, "forbidden"),
        ("PUT", "", 401, "unauthorized"),
        ("PUT", "nobody", 401, "unauthorized"),
        ("GET", "nobody", 401, "unauthorized"),
        ("DELETE", "admin", 409, "service-enabled"),
    ],
)
def test_a_refusal_is_told_with_its_code(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, method: str, who: str, status: int, code: str
) -> None:
    body = {"v": 2} if method == "PUT" else None
    assert client.open(PATH, method=method, json=body, headers=headers(who)).status_code == status
    (act,) = acts(caplog)
    assert (act["outcome"], act["code"], act["status"]) == ("refused", code, status)
    assert act.get("principal", "") == ("" if status == 401 else who)
    assert "revision" not in act


def test_reads_and_first_contacts_are_not_told(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    assert client.get(PATH, headers=headers("reader")).status_code == 200
    assert client.get("/api/v1/configs/other", headers=headers("reader")).status_code == 404
    assert client.get(PATH).status_code == 401
    assert client.post("/api/v1/validate?service=here/there", json={}, headers=headers("reader")).status_code
    assert acts(caplog) == []


def test_no_query_no_token_and_no_control_character_is_in_a_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    token = token_of("nobody")
    client.put(f"/api/v1/configs/a%0Ab%1B?secret={token}", json={}, headers=headers("nobody"))
    (record,) = [each for each in caplog.records if each.name == "configsvc.audit"]
    line = record.getMessage()
    assert line.isascii()
    assert line.isprintable()
    assert token not in line
