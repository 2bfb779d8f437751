"""Lists: pages, cursors and tags."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.api.v1.cursors import make_cursor, read_name, read_number
from configsvc.app import create_app
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import Format
from configsvc.documents.document import read_document
from configsvc.service import ConfigService
from configsvc.service.changes import PutDocument
from configsvc.settings import Settings
from configsvc.store.gitstore import GitStore
from tests.api.v1.calls import (
    COMMITS,
    CONFIGS,
    SCHEMAS,
    YAML,
    get,
    put,
    put_schema,
    refusal,
    remove,
    send,
    told,
)

pytestmark = pytest.mark.slow


def pages(client: FlaskClient, path: str, **parameters: Any) -> list[Any]:
    """Return all items of a list, page by page."""
    items: list[Any] = []
    cursor = None
    while True:
        query = parameters | ({} if cursor is None else {"cursor": cursor})
        response = client.get(path, query_string=query)
        assert response.status_code == 200, response.text
        body = told(response)
        items += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            return items


def names(items: list[Any]) -> list[str]:
    return [item["service"] for item in items]


def test_services_are_listed_in_the_order_of_their_names(client: FlaskClient) -> None:
    for name in ("b", "a/b", "a-b", "a"):
        put(client, name, {})
    put(client, "a", "n: 1\n", YAML)
    put(client, "gone", {})
    remove(client, "gone")
    response = send(client, "GET", CONFIGS)
    body = told(response)
    assert names(body["items"]) == sorted(["b", "a/b", "a-b", "a"])
    assert (body["revision"], body["next_cursor"]) == (9, None)
    first = body["items"][0]
    assert first == {
        "service": "a",
        "version": 1,
        "revision": 6,
        "etag": get(client, "a").headers["ETag"],
        "format": "yaml",
        "enabled": True,
        "changed_at": first["changed_at"],
        "author": "anonymous <anonymous@configsvc.invalid>",
    }
    assert time.strptime(first["changed_at"], "%Y-%m-%dT%H:%M:%SZ")
    kept = send(client, "GET", CONFIGS, If_None_Match=response.headers["ETag"])
    assert kept.status_code == 304


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ["a", "a/b", "a/c", "b"]),
        ("a", ["a", "a/b", "a/c"]),
        ("a/", ["a/b", "a/c"]),
        ("z", []),
        ("A%", []),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_services_are_listed_by_prefix_and_page(
    client: FlaskClient, prefix: str, found: list[str], limit: int
) -> None:
    for name in ("a", "a/b", "a/c", "b"):
        put(client, name, {})
    assert names(pages(client, CONFIGS, prefix=prefix, limit=limit)) == found


def test_a_cursor_stays_valid_while_services_come_and_go(client: FlaskClient) -> None:
    for name in ("b", "d", "f", "h"):
        put(client, name, {})
    first = told(client.get(f"{CONFIGS}?limit=2"))
    for name in ("a", "e"):
        put(client, name, {})
    remove(client, "d")
    remove(client, "f")
    rest = told(client.get(f"{CONFIGS}?limit=9&cursor={first['next_cursor']}"))
    assert names(first["items"] + rest["items"]) == ["b", "d", "e", "h"]
    assert rest["revision"] > first["revision"]


def test_commits_are_listed_newest_first_with_what_they_touched(client: FlaskClient) -> None:
    put(client, "x", {})
    put(client, "y", {})
    remove(client, "x")
    items = pages(client, COMMITS, limit=2)
    assert [item["revision"] for item in items] == [5, 4, 3, 2, 1]
    assert [item["services"] for item in items] == [
        [{"service": "x", "version": 1, "deleted": True}],
        [],
        [{"service": "y", "version": 0, "deleted": False}],
        [{"service": "x", "version": 0, "deleted": False}],
        [],
    ]
    for item in items:
        response = client.get(f"{COMMITS}/{item['commit_id']}")
        assert told(response) == item
        kept = send(client, "GET", f"{COMMITS}/{item['commit_id']}", If_None_Match=response.headers["ETag"])
        assert kept.status_code == 304


@pytest.mark.parametrize(
    "name", ["0" * 40, "HEAD", "main", "v1", "release/1", "a" * 300, "..", "refs/heads/main"]
)
def test_a_commit_that_is_not_in_the_history_is_refused(client: FlaskClient, name: str) -> None:
    assert refusal(client.get(f"{COMMITS}/{name}")) == (404, "revision-not-found")


def test_schemas_are_listed_in_the_order_of_their_files(client: FlaskClient) -> None:
    for name in ("b", "a/c", "-/default", "a/-/default"):
        assert put_schema(client, name, {}).status_code == 200
    items = pages(client, SCHEMAS, limit=3)
    assert [item["schema"] for item in items] == ["-/default", "a/-/default", "a/c", "b"]
    assert items[1]["path"] == ".configsvc/schemas/a/_default.json"
    assert items[1]["etag"] == client.get(f"{SCHEMAS}/a/-/default").headers["ETag"]


@pytest.mark.parametrize("path", [CONFIGS, COMMITS, SCHEMAS, f"{CONFIGS}/x/-/versions"])
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=ten",
        "limit=1.0",
        "limit=",
        "cursor=",
        "cursor=x",
        "cursor=AAAA",
        "cursor=%00",
        "cursor=" + "A" * 10_000,
        "cursor=" + make_cursor("other", "a"),
        "cursor=" + make_cursor("configs", "a") + "=",
        "cursor=" + make_cursor("commits", "a"),
        "cursor=" + make_cursor("configs", 1),
        "cursor=" + base64.urlsafe_b64encode(b'[1, "configs", "a"]').decode().rstrip("="),
        "cursor=" + base64.urlsafe_b64encode(b'[2,"configs","a"]').decode().rstrip("="),
        "cursor=" + base64.urlsafe_b64encode(b"[" * 300).decode(),
        "cursor=" + base64.urlsafe_b64encode(b"{}").decode().rstrip("="),
        "page=2",
        "limit=1&limit=1",
    ],
)
def test_a_page_that_was_never_offered_is_refused(client: FlaskClient, path: str, query: str) -> None:
    put(client, "x", {})
    assert refusal(client.get(f"{path}?{query}")) == (400, "request-invalid")


@given(st.text(st.characters(codec="ascii"), max_size=60) | st.integers(0, 10**12))
@settings(max_examples=300, deadline=None)
def test_a_cursor_gives_back_its_key(key: str | int) -> None:
    if isinstance(key, str):
        assert read_name("k", make_cursor("k", key)) == key
    else:
        assert read_number("k", make_cursor("k", key), 0) == key


@pytest.mark.thorough
@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,60}", fullmatch=True))
@settings(max_examples=1000, deadline=None)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    for read in (lambda: read_name("configs", text), lambda: read_number("configs", text, 0)):
        with pytest.raises(RequestInvalid):
            read()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Return a client of ten thousand services."""
    with GitStore.open(tmp_path_factory.mktemp("crowded") / "repo") as store:
        service = ConfigService(store)
        document = read_document(b'{"a": 1}', Format.JSON)
        for start in range(0, 10_000, 1000):
            numbers = range(start, start + 1000)
            service.commit([PutDocument(f"team-{n % 50:02}/service-{n:05}", document) for n in numbers])
        yield create_app(service, Settings()).test_client()


@pytest.mark.thorough
@pytest.mark.slow
def test_ten_thousand_services_are_listed_page_by_page(crowded: FlaskClient) -> None:
    items = pages(crowded, CONFIGS, limit=500)
    assert len(set(names(items))) == len(items) == 10_000


@pytest.mark.soak
def test_ten_thousand_services_are_listed_in_less_than_a_second(crowded: FlaskClient) -> None:
    spent = []
    for _ in range(3):
        began = time.process_time()
        assert len(pages(crowded, CONFIGS, limit=500)) == 10_000
        spent.append(time.process_time() - began)
    assert min(spent) < 1
