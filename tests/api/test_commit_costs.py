"""What a commit may cost: rights come before reading, and all its documents share one bound."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.app import create_app
from configsvc.core.names import Format
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Document
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book, bearer
from tests.api.v1.calls import COMMITS, JSON, refusal, told

SETTINGS = Settings(max_nodes=100)
MOST = 300


class CountingService(ConfigService):
    """Counts the documents that it reads."""

    read = 0

    def read_document(self, data: bytes, format_: Format) -> Document:
        self.read += 1
        return super().read_document(data, format_)


@pytest.fixture
def service() -> CountingService:
    book = Book()
    book.add("reader", a__all="reader")
    book.add("writer", a__all="writer", b="reader")
    return CountingService(book.store, bounds=SETTINGS.bounds)


@pytest.fixture
def client(service: CountingService) -> FlaskClient:
    return create_app(service, SETTINGS).test_client()


def commit(client: FlaskClient, who: str, *changes: object) -> TestResponse:
    headers = {"Authorization": bearer(who)}
    body = json.dumps({"changes": list(changes)})
    return client.post(COMMITS, data=body, content_type=JSON, headers=headers)


def yaml_put(service: str, nodes: int) -> dict[str, object]:
    """Return a change whose document has so many nodes, in one node of the body."""
    return yaml_text(service, f"z: [{'0, ' * (nodes - 3)}]\n")


def yaml_text(service: str, text: str) -> dict[str, object]:
    return {"op": "put", "service": service, "format": "yaml", "document": text}


@pytest.mark.parametrize(
    ("who", "last", "status", "code"),
    [
        ("writer", yaml_put("b", 10), 403, "forbidden"),
        ("writer", yaml_put("c", 10), 404, "service-not-found"),
        ("writer", {"op": "put-schema", "schema": "a/x", "value": {}}, 403, "forbidden"),
    ],
)
def test_no_document_is_read_for_one_who_may_not_make_every_change(
    client: FlaskClient, service: CountingService, who: str, last: dict[str, object], status: int, code: str
) -> None:
    broken = {"op": "put", "service": "a/y", "format": "yaml", "document": "{"}
    response = commit(client, who, broken, last)
    assert refusal(response) == (status, code)
    assert told(response)["details"][0]["index"] == 1
    assert service.read == 0


@pytest.mark.parametrize("path", [COMMITS, "/config"])
def test_the_body_of_one_who_may_write_nothing_is_not_read(
    client: FlaskClient, service: CountingService, path: str
) -> None:
    headers = {"Authorization": bearer("reader")}
    response = client.post(path, data='{"service": "a/x"', content_type=JSON, headers=headers)
    assert response.status_code == 403
    assert "may write nothing" in response.text
    assert service.read == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("path", ["/api/v1/configs/{}", "/config?service={}"])
@pytest.mark.parametrize(("name", "status"), [("a/x", 403), ("c", 404)])
def test_rights_are_asked_before_the_body_of_one_document_is_read(
    client: FlaskClient, service: CountingService, method: str, path: str, name: str, status: int
) -> None:
    method = "POST" if path.startswith("/config") and method == "PUT" else method
    headers = {"Authorization": bearer("reader")}
    response = client.open(
        path.format(name), method=method, data=b"{", content_type="application/yaml", headers=headers
    )
    assert response.status_code == status
    assert service.read == 0


def test_all_documents_of_a_commit_share_one_bound_of_nodes(
    client: FlaskClient, service: CountingService
) -> None:
    within = [yaml_put(f"a/n{n}", 100) for n in range(3)]
    assert commit(client, "writer", *within).status_code == 200
    over = commit(client, "writer", *within, yaml_put("a/last", 3))
    assert refusal(over) == (413, "document-too-large")
    assert "expected: <= 300; send several commits" in told(over)["detail"]
    assert told(over)["details"][0]["index"] == 3


@pytest.mark.parametrize(
    "rest",
    [
        {"op": "put", "service": "a/y", "value": {"z": [0] * 50}},
        {"op": "merge-patch", "service": "a/y", "patch": {"z": [0] * 50}},
        {"op": "json-patch", "service": "a/y", "patch": [{"op": "add", "path": "", "value": [0] * 50}]},
        {
            "op": "put",
            "service": "a/y",
            "format": "yaml",
            "document": "x: &x [1, 2, 3, 4]\ny: [*x, *x, *x]\n",
        },
    ],
)
def test_values_patches_and_aliases_count_too(client: FlaskClient, rest: dict[str, object]) -> None:
    changes = [*(yaml_put(f"a/n{n}", 100) for n in range(2)), yaml_put("a/n3", 80), rest]
    assert refusal(commit(client, "writer", *changes)) == (413, "document-too-large")


def test_reading_stops_at_the_document_that_is_one_too_many(
    client: FlaskClient, service: CountingService
) -> None:
    commit(client, "writer", *(yaml_put(f"a/n{n}", 100) for n in range(50)))
    assert service.read == 4


def test_a_body_of_far_too_many_values_is_refused_like_one_of_too_many(client: FlaskClient) -> None:
    bounds: Bounds = SETTINGS.bounds
    value = {"z": [0] * (bounds.max_nodes * 400)}
    over = commit(client, "writer", {"op": "put", "service": "a/y", "value": value})
    assert refusal(over) == (413, "document-too-large")


def test_the_bound_is_told(client: FlaskClient) -> None:
    assert told(client.get("/"))["limits"]["max_commit_nodes"] == MOST
