"""Every error code there is, produced by a request, and told of in `docs/errors.md`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.api.problems import CODES, STATUSES
from configsvc.app import create_app
from configsvc.core import errors
from configsvc.core.changes import ANONYMOUS, Outcome, Plan
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.base import Write
from configsvc.store.memory import MemoryStore
from tests.api.v1.calls import (
    COMMITS,
    CONFIGS,
    PATCH,
    SCHEMAS,
    YAML,
    commit,
    delete,
    get,
    patch,
    put,
    put_schema,
    send,
)
from tests.api.v1.catalogue import GIT_ONLY, NEVER_ANSWERED, SEED_ONLY, api_codes, error_codes, http_codes
from tests.edge.running import connect, read_to_end, running, split_answers
from tests.edge.running import get as request_line

PAGE = Path(__file__).resolve().parents[3] / "docs" / "errors.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| (\d{3}) \|", re.MULTILINE)
LARGE_YAML = "a: 1\n" + "#" * (128 << 10) + "\n"


def prepared(client: FlaskClient) -> FlaskClient:
    """Make what the calls below are about: `x` with a version and a deletion, and `y`."""
    put(client, "x", {"a": 1})
    send(client, "PATCH", f"{CONFIGS}/x/-/meta", {"enabled": False})
    delete(client, "x")
    put(client, "y", {"a": 1})
    return client


TOKEN = "t" * 40
AS_ADMIN = {"Authorization": f"Bearer {TOKEN}"}


def make(
    client: FlaskClient, roles: dict[str, str] | None = None, who: dict[str, str] | None = None
) -> TestResponse:
    """Make a principal."""
    token = {"sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}
    body = {"name": "ops", "roles": roles or {"**": "admin"}, "token": token}
    return client.post("/api/v1/principals", json=body, headers=who or {})


CALLS: dict[str, Callable[[FlaskClient], TestResponse]] = {
    "document-invalid": lambda c: put(c, "y", "{"),
    "document-too-large": lambda c: put(c, "y", b" " * ((1 << 20) + 1)),
    "edit-too-large": lambda c: [put(c, "l", LARGE_YAML, YAML), patch(c, "l", {"a": 2})][1],
    "host-unknown": lambda c: get(c, "y", Host="evil.example"),
    "media-type-unsupported": lambda c: put(c, "y", "{}", "text/plain"),
    "method-not-allowed": lambda c: send(c, "POST", f"{CONFIGS}/y"),
    "name-invalid": lambda c: get(c, "Y"),
    "not-acceptable": lambda c: get(c, "y", Accept="text/html"),
    "not-found": lambda c: c.get("/api/v2"),
    "patch-failed": lambda c: patch(c, "y", [{"op": "remove", "path": "/b"}], PATCH),
    "pattern-invalid": lambda c: make(c, {"pay*": "admin"}),
    "precondition-failed": lambda c: put(c, "y", {}, If_Match='"0-0123456789abcdef-json"'),
    "principal-exists": lambda c: [make(c), make(c, who=AS_ADMIN)][1],
    "principal-not-found": lambda c: c.get("/api/v1/principals/nobody"),
    "principals-conflict": lambda c: make(c, {"a": "admin"}),
    "request-id-reused": lambda c: [put(c, "y", {"n": n}, Config_Request_Id="one") for n in range(2)][1],
    "request-invalid": lambda c: get(c, "y?version=one"),
    "revision-mismatch": lambda c: commit(c, {"op": "delete", "service": "y"}, expected_revision=1),
    "revision-not-found": lambda c: c.get(f"{COMMITS}/v9"),
    "revision-unreached": lambda c: get(c, "y?min_revision=999"),
    "schema-not-found": lambda c: c.get(f"{SCHEMAS}/y"),
    "schema-violation": lambda c: put_schema(c, "y", {"type": "strin"}),
    "service-enabled": lambda c: delete(c, "y"),
    "service-not-found": lambda c: get(c, "x"),
    "value-not-found": lambda c: get(c, "y?pointer=/b"),
    "version-deleted": lambda c: get(c, "x?version=1"),
    "version-not-found": lambda c: get(c, "x?version=2"),
}
FAILURES: dict[str, Exception] = {
    "diverged": errors.StoreDiverged("main: was moved"),
    "document-broken": errors.DocumentBroken("the stored document is broken"),
    "internal": RuntimeError("unexpected"),
    "outcome-unknown": errors.OutcomeUnknown("write: no outcome"),
    # No two names of services are in each other's way; a folder that somebody calls `x.json` is.
    "path-conflict": errors.PathConflict("path: 'x.json' is a folder"),
    "rate-exceeded": errors.RateExceeded("requests: too many"),
    "queue-full": errors.QueueFull("queue: full"),
    "schema-too-slow": errors.SchemaTooSlow("schema: too slow"),
    "shutting-down": errors.ServiceClosed("write: the service is shutting down"),
    "write-failed": errors.WriteFailed("disk: full"),
}
WIRE = {"head-too-large", "http-version-unsupported", "request-timeout", "request-too-large", "unavailable"}


class FailingStore(MemoryStore):
    """Fails every write."""

    failure: Exception = RuntimeError()

    def submit(self, write: Write) -> Future[Outcome]:
        raise self.failure


ADMIN = json.dumps(
    {"roles": {"**": "reader"}, "tokens": [{"sha256": hashlib.sha256(b"t" * 40).hexdigest()}]}
).encode()


def closed(store: MemoryStore) -> None:
    """Add a principal that may read everything and change nothing."""
    plan = Plan({".configsvc/principals/reader.yaml": ADMIN}, "x")
    store.submit(Write(lambda view: plan, ANONYMOUS)).result()


def code_of(response: TestResponse) -> str:
    assert response.content_type == "application/problem+json", response.text
    told = json.loads(response.data)
    assert told["status"] == response.status_code
    return str(told["code"])


@pytest.mark.parametrize("code", CALLS)
def test_a_request_produces_each_code(client: FlaskClient, code: str) -> None:
    assert code_of(CALLS[code](prepared(client))) == code


@pytest.mark.parametrize("code", FAILURES)
def test_a_failure_produces_each_code(code: str) -> None:
    store = FailingStore()
    store.failure = FAILURES[code]
    response = put(create_app(ConfigService(store), Settings()).test_client(), "x", {})
    assert code_of(response) == code
    assert ("Retry-After" in response.headers) is (response.status_code in (429, 503))


@contextmanager
def serving(**changed: float) -> Iterator[int]:
    """Yield the port of a server with small limits."""
    settings = Settings(body_timeout_s=0.1, max_head_bytes=1 << 10, max_buffered_bytes=1 << 20, **changed)  # type: ignore[arg-type]
    with running(create_app(ConfigService(MemoryStore()), settings), settings) as port:
        yield port


@pytest.mark.slow
@pytest.mark.parametrize("code", sorted(WIRE))
def test_what_comes_over_the_wire_produces_each_code(code: str) -> None:
    head = f"PUT {CONFIGS}/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunk = b"%x\r\n" % (3 << 20) + b" " * (3 << 20) + b"\r\n0\r\n\r\n"
    sent = {
        "head-too-large": request_line("/" + "x" * 2000),
        "http-version-unsupported": b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "request-timeout": f"{head}Content-Length: 5\r\n\r\n{{".encode(),
        "request-too-large": f"{head}Content-Length: {2 << 20}\r\nConnection: close\r\n\r\n".encode(),
        "unavailable": f"POST {COMMITS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunk,
    }[code]
    with serving() as port, connect(port) as connection:
        connection.sendall(sent)
        (answer,) = split_answers(read_to_end(connection))
    assert json.loads(answer.body)["code"] == code


def test_a_server_with_principals_produces_each_code(client: FlaskClient, store: MemoryStore) -> None:
    prepared(client)
    closed(store)
    assert code_of(get(client, "y")) == "unauthorized"
    assert code_of(put(client, "y", {}, Authorization=f"Bearer {'t' * 40}")) == "forbidden"


def test_every_code_is_produced_here() -> None:
    assert {*CALLS, *FAILURES, *WIRE, "unauthorized", "forbidden"} == api_codes()


def test_every_code_is_documented_with_its_statuses() -> None:
    told = {code: (int(api), int(seed)) for code, api, seed in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    classes = {each.code: (statuses.api, statuses.seed) for each, statuses in STATUSES.items()}
    statuses = {code: (status, status) for status, code in CODES.items()} | classes
    assert told == {code: statuses[code] for code in api_codes() | SEED_ONLY | GIT_ONLY}


def test_codes_that_are_never_answered_are_documented_as_such() -> None:
    last = PAGE.read_text(encoding="utf-8").rstrip().rpartition("\n\n")[2]
    assert set(re.findall(r"`([a-z-]+)`", last)) == NEVER_ANSWERED


def test_a_code_means_one_thing() -> None:
    assert error_codes() & http_codes() == {
        "internal",
        "media-type-unsupported",
        "not-found",
        "request-invalid",
        "request-too-large",
        "unavailable",
    }
