"""What calls cost beside each other, over HTTP, in one run."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from configsvc.documents.rendering import render_json, render_yaml
from tests.end_to_end.serving import QUIET, serving

ROUNDS = 60

# Times, which a busy machine spoils: `make soak` holds them, not every run.
pytestmark = pytest.mark.soak


def document(number: int) -> dict[str, object]:
    """Return a value of about a kilobyte."""
    servers = [
        {"host": f"host-{each}.example", "port": 8000 + each, "tags": ["a", "b"]} for each in range(12)
    ]
    return {"number": number, "servers": servers, "limits": {"daily": 1000, "monthly": 30_000}}


def timed(connection: http.client.HTTPConnection, method: str, name: str, body: bytes, kind: str) -> float:
    """Return the seconds that a write takes."""
    began = time.perf_counter()
    connection.request(method, f"/api/v1/configs/{name}", body, {"Content-Type": kind})
    response = connection.getresponse()
    told = json.loads(response.read())
    spent = time.perf_counter() - began
    assert response.status in (200, 201), told
    assert told["changed"]
    return spent


@pytest.mark.parametrize(
    ("render", "kind"), [(render_json, "application/json"), (render_yaml, "application/yaml")]
)
def test_a_merge_patch_costs_less_than_one_and_a_half_puts(tmp_path: Path, render: object, kind: str) -> None:
    assert callable(render)
    puts: list[float] = []
    patches: list[float] = []
    with serving(tmp_path / "repo", *QUIET) as server:
        address = urlsplit(server.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        for number in range(ROUNDS):
            puts.append(timed(connection, "PUT", "x", render(document(number)), kind))
            patch = json.dumps({"number": -1 - number}).encode()
            patches.append(timed(connection, "PATCH", "x", patch, "application/merge-patch+json"))
        connection.close()
    assert statistics.median(patches) < 1.5 * statistics.median(puts)
