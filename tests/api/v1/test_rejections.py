"""What clients tell of versions that they did not adopt."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.api.v1.rejections import BURST_S, LOGGER
from configsvc.cli.logs import make_formatter
from configsvc.core.rejections import MAX_PROBLEM_CHARS, MAX_PROBLEMS
from tests.api.v1.calls import JSON, put, refusal, revision

PATH = "/api/v1/configs/payments/api/-/rejections"


def report(client: FlaskClient, body: object, path: str = PATH) -> TestResponse:
    return client.post(path, json=body)


@pytest.fixture
def client(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> FlaskClient:
    put(client, "payments/api", {"timeout_s": "ten"})
    caplog.set_level(logging.INFO, LOGGER)
    caplog.clear()
    return client


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == LOGGER]


def count(client: FlaskClient) -> str:
    text = client.get("/metrics").text
    return next(line for line in text.splitlines() if line.startswith("configsvc_rejections_total"))


def test_it_is_one_line_in_the_log_of_clients_and_counted(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    before = revision(client)
    assert count(client) == "configsvc_rejections_total 0.0"
    problem = {"pointer": "/timeout_s", "message": "a string (expected: a number)"}
    response = report(client, {"version": 0, "application": "billing", "problems": [problem]})
    assert (response.status_code, response.data) == (204, b"")
    (record,) = lines(caplog)
    assert record.getMessage() == (
        "payments/api: version 0 is not adopted by billing (anonymous, 127.0.0.1): "
        "/timeout_s: a string (expected: a number)"
    )
    told: Any = record.__dict__
    assert (told["service"], told["version"], told["application"]) == ("payments/api", 0, "billing")
    assert told["problems"] == ["/timeout_s: a string (expected: a number)"]
    assert told["request_id"]
    assert count(client) == "configsvc_rejections_total 1.0"
    assert revision(client) == before


def test_a_version_is_enough(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    assert report(client, {"version": 0}).status_code == 204
    (record,) = lines(caplog)
    assert "is not adopted by an application" in record.getMessage()


def test_no_text_of_a_client_makes_a_second_line_or_moves_the_cursor(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    evil = "x\n2026-01-01 INFO forged \x1b[2J\u202e\u2028"
    problem = {"pointer": evil, "message": evil}
    assert report(client, {"version": 0, "application": evil, "problems": [problem]}).status_code == 204
    (record,) = lines(caplog)
    assert record.getMessage().isascii()
    assert record.getMessage().isprintable()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request-invalid"),
        ({"version": "0"}, "request-invalid"),
        ({"version": -1}, "request-invalid"),
        ({"version": 1}, "version-not-found"),
        ({"version": 0, "reason": "x"}, "request-invalid"),
        ({"version": 0, "application": "x" * 101}, "request-invalid"),
        ({"version": 0, "application": 7}, "request-invalid"),
        ({"version": 0, "problems": {}}, "request-invalid"),
        ({"version": 0, "problems": ["x"]}, "request-invalid"),
        ({"version": 0, "problems": [{"pointer": "/a"}]}, "request-invalid"),
        ({"version": 0, "problems": [{"message": "x" * (MAX_PROBLEM_CHARS + 1)}]}, "request-invalid"),
        ({"version": 0, "problems": [{"message": "x"}] * (MAX_PROBLEMS + 1)}, "request-invalid"),
        ({"version": 0, "problems": [{"message": "x", "value": "secret"}]}, "request-invalid"),
        ([], "request-invalid"),
    ],
)
def test_what_is_no_report_is_refused_and_neither_logged_nor_counted(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, body: object, code: str
) -> None:
    response = report(client, body)
    assert refusal(response) == (404 if code == "version-not-found" else 400, code)
    assert lines(caplog) == []
    assert count(client) == "configsvc_rejections_total 0.0"


def test_a_service_that_does_not_exist_has_no_versions_to_reject(client: FlaskClient) -> None:
    path = PATH.replace("payments", "other")
    assert refusal(report(client, {"version": 0}, path)) == (404, "service-not-found")


def test_another_type_is_refused(client: FlaskClient) -> None:
    response = client.post(PATH, data="version: 0", content_type="application/yaml")
    assert refusal(response) == (415, "media-type-unsupported")
    assert client.post(PATH, data="", content_type=JSON).status_code == 400


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_token_in_what_is_told_does_not_reach_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, log_format: str
) -> None:
    token = "cfg_" + "A" * 43
    problem = {"pointer": f"/{token}", "message": token}
    assert report(client, {"version": 0, "application": token, "problems": [problem]}).status_code == 204
    line = make_formatter(log_format).format(lines(caplog)[0])
    assert token not in line
    assert "[redacted]" in line


def test_a_line_is_bounded_whatever_is_told(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    problem = {"pointer": "\U0001f600" * 500, "message": "\U0001f600" * 500}
    assert report(client, {"version": 0, "problems": [problem] * 4}).status_code == 204
    (record,) = lines(caplog)
    assert len(record.getMessage()) < 10_000


def test_a_client_that_floods_is_held_back_and_no_other(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [report(client, {"version": 0}) for _ in range(int(BURST_S) + 20)]
    taken = sum(answer.status_code == 204 for answer in answers)
    assert BURST_S <= taken < len(answers)
    assert len(lines(caplog)) == taken
    assert count(client) == f"configsvc_rejections_total {taken:.1f}"
    assert refusal(answers[-1]) == (429, "rate-exceeded")
    assert answers[-1].headers["Retry-After"] == "1"
    other = client.post(PATH, json={"version": 0}, environ_overrides={"REMOTE_ADDR": "10.0.0.7"})
    assert other.status_code == 204


def test_it_is_no_change_in_the_audit_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "configsvc.audit"):
        report(client, {"version": 0})
    assert [record for record in caplog.records if record.name == "configsvc.audit"] == []
