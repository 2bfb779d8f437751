"""Schemas that would hold up, recurse, fetch or explode: refused or bounded, while others are answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.client import Client, connected
from tests.end_to_end.serving import QUIET, Server, serving

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
# What is bounded takes 0.9 s of a worker; the rest is for a machine that does other things too.
BOUND_S = 5.0
DOUBLING = {
    "$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    | {"d40": {"type": "null"}}
}

# Schema, document, and the statuses of putting the one and then the other.
HOSTILE: dict[str, tuple[Any, Any, int, int]] = {
    "a remote $ref": ({"$ref": "http://127.0.0.1:1/x.json"}, {}, 422, 200),
    "a $ref to a file": ({"$ref": "file:///etc/passwd"}, {}, 422, 200),
    "a $ref out of the folder": ({"$ref": "../../principals/x.json"}, {}, 422, 200),
    "a remote $schema": ({"$schema": "http://127.0.0.1:1/meta"}, {}, 422, 200),
    "a $dynamicRef": ({"$dynamicRef": "#x"}, {}, 422, 200),
    "a $ref to itself": ({"$ref": "#"}, {}, 422, 200),
    "a catastrophic pattern": (
        {"properties": {"s": {"pattern": "^(a+)+$"}}},
        {"s": "a" * 64 + "!"},
        200,
        422,
    ),
    "alternatives that double": (
        {**DOUBLING, "properties": {"s": {"$ref": "#/$defs/d0"}}},
        {"s": 1},
        422,
        200,
    ),
    "a huge multipleOf": ({"properties": {"s": {"multipleOf": 1e-300}}}, {"s": 1e300}, 200, 200),
    "a pattern that does not compile": ({"pattern": "("}, {}, 422, 200),
    "a schema nested deep": (json.loads('{"not":' * 60 + "{}" + "}" * 60), {}, 200, 200),
}


@contextmanager
def asking_meanwhile(server: Server) -> Iterator[list[float]]:
    """Read another service again and again; gives how long each read took, in seconds."""
    spent: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        with connected(server.url) as client:
            while not ended.is_set():
                began = time.monotonic()
                assert client.ask("GET", "/api/v1/configs/other").status == 200
                spent.append(time.monotonic() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield spent
    finally:
        ended.set()
        thread.join()


def put(client: Client, path: str, value: Any) -> tuple[int, float]:
    """Return the status of a PUT, and how long it took in seconds."""
    began = time.monotonic()
    reply = client.ask("PUT", path, json.dumps(value).encode(), JSON)
    return reply.status, time.monotonic() - began


@pytest.mark.thorough
def test_bounded_hostile_schemas_hold_up_nobody(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", *QUIET) as server, connected(server.url) as client:
        assert put(client, "/api/v1/configs/other", {"a": 1})[0] == 201
        with asking_meanwhile(server) as spent:
            for number, (name, (schema, document, first, second)) in enumerate(HOSTILE.items()):
                status, took = put(client, f"/api/v1/schemas/s{number}", schema)
                assert (name, status) == (name, first)
                assert took < BOUND_S, name
                status, took = put(client, f"/api/v1/configs/s{number}", document)
                assert (name, status) == (name, 201 if second == 200 else second)
                assert took < BOUND_S, name
        assert max(spent) < BOUND_S
        assert len(spent) > len(HOSTILE)
