"""Parameters, headers, names and bodies that nobody would send in good faith."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.api.v1.calls import COMMITS, CONFIGS, JSON, MERGE, PATCH, SCHEMA, YAML
from tests.api.v1.contract import operations

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

MANY = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MILLION = settings(max_examples=1_000_000, deadline=None, suppress_health_check=list(HealthCheck))
WITHIN_S = 2.0

NAMES = st.one_of(
    st.sampled_from(
        ["x", "a/b", "payments/api", "X", "-", "-/default", "a/-/b", "..", ".git", "a//b", "con", ""]
    ),
    st.text(max_size=12),
    st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?(/[a-z0-9]{1,5}){0,9}", fullmatch=True),
)
SUBS = st.sampled_from(
    ["", "/-/versions", "/-/versions/0", "/-/diff", "/-/rollback", "/-/meta", "/-/default", "/-/x"]
)
ROOTS = st.sampled_from(
    [CONFIGS, "/api/v1/schemas", "/api/v1/commits", "/api/v1/validate", "/config", "/docs", "/"]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [*["0", "1", "-1", "true", "false", "json", "yaml", "/a", "/a/0", "~", "*", "é"], "9" * 400, "\x00"]
    ),
)
PARAMETERS = st.sampled_from(
    sorted(
        {each["name"] for one in operations() for each in one.parameters if each["in"] == "query"} | {"more"}
    )
)
TAGS = st.one_of(
    st.sampled_from(["*", '"0-0123456789abcdef-json"', 'W/"x"', '"', '"a","b"', ",", "a-meta"]),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["If-Match", "If-None-Match", "Accept", "Config-Message", "Config-Request-Id", "Content-Encoding"]
    ),
    TAGS,
    max_size=3,
)
KINDS = st.sampled_from([JSON, YAML, MERGE, PATCH, SCHEMA, "text/plain", f"{JSON}; charset=utf-16", "", "x"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        [
            "put",
            "merge-patch",
            "json-patch",
            "delete",
            "rollback",
            "meta",
            "put-schema",
            "delete-schema",
            "x",
            "/a",
            "*",
        ]
    ),
)
KEYS = st.one_of(
    st.sampled_from(
        [
            "op",
            "service",
            "value",
            "patch",
            "document",
            "format",
            "version",
            "schema",
            "if_match",
            "changes",
            "path",
            "message",
            "enabled",
            "owner",
            "from",
            "$ref",
            "type",
            "expected_revision",
            "properties",
        ]
    ),
    st.text(max_size=4),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
CHANGES = st.fixed_dictionaries({"changes": st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=3)})
BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    VALUES.map(lambda value: json.dumps(value).encode()),
    CHANGES.map(lambda value: json.dumps(value).encode()),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(list("{}[]:,\"'&*!|>%@`-?# \n\tab01\\u")), max_size=40).map(
        lambda s: "".join(s).encode()
    ),
)
REQUESTS = st.fixed_dictionaries(
    {
        "path": st.builds(lambda root, name, sub: f"{root}/{name}{sub}", ROOTS, NAMES, SUBS) | ROOTS,
        "method": st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "BREW"]),
        "query_string": st.dictionaries(PARAMETERS, TEXTS, max_size=3) | st.text(max_size=30),
        "headers": HEADERS,
        "data": BODIES,
        "content_type": KINDS,
    }
)


@pytest.fixture(scope="module")
def long_client() -> FlaskClient:
    """Return a client that all requests of this module share, so that they meet what others left."""
    return create_app(ConfigService(MemoryStore()), Settings()).test_client()


def check(client: FlaskClient, request: dict[str, Any]) -> None:
    """Send a request; fail unless it is answered soon and as the API answers."""
    began = time.thread_time()
    environ = {"PATH_INFO": request["path"].encode("utf-8", "surrogatepass").decode("latin-1")}
    response = client.open(**(request | {"path": "/", "environ_overrides": environ}))
    assert time.thread_time() - began < WITHIN_S
    assert response.status_code < 500, response.text
    assert int(response.headers["Config-Revision"]) >= 1
    if response.status_code >= 400 and request["method"] != "HEAD":
        told = json.loads(response.data)
        assert told.get("code") or told["success"] is False


@given(request=REQUESTS)
@MANY
def test_no_request_is_answered_by_an_error_of_the_server(long_client: FlaskClient, request: Any) -> None:
    check(long_client, request)


WRITES = st.fixed_dictionaries(
    {
        "path": st.sampled_from([f"{CONFIGS}/x", f"{CONFIGS}/x/-/meta", f"{CONFIGS}/x/-/rollback", COMMITS]),
        "method": st.sampled_from(["PUT", "PATCH", "POST"]),
        "data": BODIES,
        "content_type": KINDS,
    }
)


@given(request=WRITES)
@MANY
def test_no_body_is_answered_by_an_error_of_the_server(long_client: FlaskClient, request: Any) -> None:
    check(long_client, request)


@pytest.mark.soak
@given(request=REQUESTS | WRITES)
@MILLION
def test_none_of_a_million_requests_is_answered_by_an_error_of_the_server(
    long_client: FlaskClient, request: Any
) -> None:
    check(long_client, request)
