from __future__ import annotations

import logging
from concurrent.futures import Future
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from configsvc.app import create_app
from configsvc.core.changes import Outcome
from configsvc.core.errors import (
    ConfigError,
    OutcomeUnknown,
    QueueFull,
    ServiceClosed,
    StoreDiverged,
    WriteFailed,
)
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import Write
from configsvc.store.memory import MemoryStore
from tests.access.book import Book, bearer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

EVERY_PATH = ["/config?service=x", "/healthz", "/readyz", "/nowhere"]


class FailingStore(MemoryStore):
    """Fails every write with `error`."""

    error: Exception

    def submit(self, write: Write) -> Future[Outcome]:
        raise self.error


def make_client(settings: Settings | None = None, store: MemoryStore | None = None) -> FlaskClient:
    settings = settings or Settings()
    return create_app(ConfigService(store or MemoryStore(), bounds=settings.bounds), settings).test_client()


def call(app: WSGIApplication, environ: WSGIEnvironment) -> TestResponse:
    """Return the answer of `app` to exactly `environ`, read to its end."""
    body, status, headers = run_wsgi_app(app, environ, buffered=True)
    return TestResponse(body, status, headers, Request(environ))


def failing_client(error: Exception) -> FlaskClient:
    store = FailingStore()
    store.error = error
    return make_client(store=store)


def test_an_unknown_path_is_told_as_a_problem() -> None:
    response = make_client().get("/nowhere")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert response.get_json(force=True)["code"] == "not-found"


@pytest.mark.parametrize("path", ["/config/", "/config/x", "/config/../etc"])
def test_an_unknown_path_below_config_is_told_in_its_dialect(path: str) -> None:
    response = make_client().get(path)
    assert (response.status_code, response.get_json()["message"]) == (404, "resource not found")


@pytest.mark.parametrize(
    "path", ["/x//config", "/healthz//", "/config/", "/../config", "/static/x", "/Config"]
)
def test_a_path_is_taken_as_it_is(path: str) -> None:
    response = make_client().get("/", environ_overrides={"PATH_INFO": path})
    assert response.status_code == 404
    assert "Location" not in response.headers


@pytest.mark.parametrize("method", ["PUT", "TRACE", "CONNECT", "PROPFIND", "BREW"])
def test_an_unknown_method_is_told_what_there_is(method: str) -> None:
    response = make_client().open("/config?service=x", method=method)
    assert (response.status_code, response.get_json()["error"]) == (405, 405)
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}


def test_options_tells_the_methods_and_nothing_else() -> None:
    response = make_client().options("/config?service=x")
    assert (response.status_code, response.data) == (204, b"")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_header_does_not_change_the_method(name: str) -> None:
    client = make_client()
    client.post("/config?service=x", json={})
    client.patch("/config?service=x&enabled=false")
    client.get("/config?service=x", headers={name: "DELETE"})
    client.post("/config?service=x", json={}, headers={name: "DELETE"})
    client.post("/config?service=x&_method=DELETE", json={})
    assert client.get("/config?service=x").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", None),
        ("localhost:5000", None),
        ("LOCALHOST", None),
        ("localhost.", None),
        ("127.0.0.1:8080", None),
        ("[::1]:5000", None),
        ("mine.example", None),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:5000", 421),
        ("10.0.0.1", 421),
        ("[::2]", 421),
        ("", 400),
        (":5000", 400),
        ("local host", 400),
        ("localhost:http", 400),
        ("localhost:1:2", 400),
        ("a,b", 400),
        ("user@localhost", 400),
        ("localhost/x", 400),
        ("[::1", 400),
        ("[x]", 400),
        ("\x00", 400),
    ],
)
def test_only_requests_to_a_known_host_are_answered(host: str, status: int | None) -> None:
    client = make_client(Settings(host_name=("mine.example",)))
    for path in EVERY_PATH:
        found = client.get(path, environ_overrides={"HTTP_HOST": host}).status_code
        assert found == status if status else found in (200, 404), path


def test_a_request_without_a_host_is_refused() -> None:
    environ = EnvironBuilder(path="/healthz").get_environ()
    del environ["HTTP_HOST"]
    assert call(make_client().application, environ).status_code == 400


def test_a_server_opened_to_the_network_answers_to_any_name() -> None:
    client = make_client(Settings(open=True))
    assert client.get("/healthz", headers={"Host": "anything.example"}).status_code == 200


@pytest.mark.parametrize("path", EVERY_PATH)
def test_every_answer_keeps_browsers_from_guessing_framing_and_running(path: str) -> None:
    headers = make_client().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Config-Revision"] == "1"
    assert "html" not in headers["Content-Type"]
    assert "Server" not in headers


@pytest.mark.parametrize(
    "error",
    [
        WriteFailed("disk full"),
        OutcomeUnknown("?"),
        StoreDiverged("!"),
        QueueFull("full"),
        ServiceClosed("bye"),
    ],
)
def test_a_write_that_cannot_be_done_now_is_told_to_come_again(error: ConfigError) -> None:
    response = failing_client(error).post("/config?service=x", json={})
    assert (response.status_code, response.get_json()["error"]) == (503, 503)
    assert response.headers["Retry-After"] == "1"
    assert response.get_json()["details"] == [{"code": error.code, "message": error.message}]


@pytest.mark.parametrize(
    "error", [RuntimeError("/srv/secret"), ConfigError("/srv/secret"), OSError(28, "/srv/secret")]
)
def test_an_unexpected_error_tells_nothing_but_where_to_look(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = failing_client(error).post("/config?service=x", json={})
    assert (response.status_code, response.get_json()["error"]) == (500, 500)
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    request_id = response.get_json()["details"][0]["request_id"]
    (record,) = [each for each in caplog.records if each.name == "configsvc.app"]
    assert request_id in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_an_unexpected_error_elsewhere_is_a_problem(app: Flask) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError("secret")

    response = app.test_client().get("/broken")
    assert (response.status_code, response.content_type) == (500, "application/problem+json")
    assert "secret" not in response.text


@pytest.fixture
def app() -> Flask:
    return create_app(ConfigService(MemoryStore()), Settings())


def test_a_body_that_is_too_large_is_refused_before_a_byte_is_read() -> None:
    class Untouched:
        def read(self, *_: object) -> bytes:
            raise AssertionError("was read")

    environ = {"CONTENT_LENGTH": str((1 << 20) + 1), "wsgi.input": Untouched()}
    response = make_client().post(
        "/config?service=x", content_type="application/json", environ_overrides=environ
    )
    assert response.status_code == 413


@pytest.mark.parametrize("beyond", [0, 1, 1 << 20])
def test_a_body_of_unknown_length_is_counted_while_it_is_read(beyond: int) -> None:
    body = BytesIO(b"# " + b"x" * ((1 << 20) - 7) + b"\na: 1" + b"0" * beyond)
    environ = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = make_client().post(
        "/config?service=x",
        content_type="application/yaml",
        environ_overrides=environ | {"CONTENT_LENGTH": ""},
    )
    assert response.status_code == (413 if beyond else 201)
    assert body.tell() <= (1 << 20) + 1


def test_each_request_is_logged_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "configsvc.access"):
        make_client().get("/config?service=x%0a%1b[31m", buffered=True)
    (record,) = [each for each in caplog.records if each.name == "configsvc.access"]
    assert record.__dict__["method"] == "GET"
    assert record.__dict__["path"] == "/config?service=x%0a%1b[31m"
    assert record.__dict__["status"] == 400
    assert record.__dict__["duration_ms"] >= 0
    assert record.__dict__["request_id"] in record.getMessage()


@pytest.mark.parametrize(
    ("authorization", "principal"), [(bearer("one"), "one"), (bearer("two"), None), ("", None)]
)
def test_the_log_tells_who_asked_and_from_where(
    caplog: pytest.LogCaptureFixture, authorization: str, principal: str | None
) -> None:
    book = Book()
    book.add("one", all="reader")
    client = create_app(ConfigService(book.store), Settings(), access=book.access).test_client()
    with caplog.at_level(logging.INFO, "configsvc.access"):
        client.get("/api/v1/configs", headers={"Authorization": authorization}, buffered=True)
    (record,) = [each for each in caplog.records if each.name == "configsvc.access"]
    assert record.__dict__["remote"] == "127.0.0.1"
    assert record.__dict__.get("principal") == principal


@pytest.mark.parametrize("path", ["/a\r\nforged 200", "/\x1b[31m", "/\u202e", "/" + "x" * 10_000])
def test_what_is_logged_of_a_client_is_printable_and_short(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "configsvc.access"):
        make_client().get(
            "/", environ_overrides={"PATH_INFO": path.encode().decode("latin-1")}, buffered=True
        )
    (record,) = [each for each in caplog.records if each.name == "configsvc.access"]
    line = record.getMessage()
    assert line.isprintable()
    assert line.isascii()
    assert len(line) < 2100
