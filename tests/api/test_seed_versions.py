from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from configsvc.api.seed_versions import MAX_MAP_BYTES, MAX_VERSIONS, VersionMaps
from configsvc.core.names import Format
from configsvc.service import ConfigService
from configsvc.service.changes import PutDocument
from tests.api.seed_client import create, get, put

pytestmark = pytest.mark.slow

WIDE = 1 << 30


def add_versions(service: ConfigService, count: int, size: int = 1) -> None:
    for number in range(count):
        text = json.dumps({"n": number, "text": "x" * size})
        service.commit([PutDocument("nginx", service.read_document(text.encode(), Format.JSON))])


def render(service: ConfigService, **bounds: int) -> bytes | Iterator[bytes]:
    snapshot = service.snapshot()
    return VersionMaps(service, **bounds).render(snapshot, service.find_entry(snapshot, "nginx"))


def shown(rendered: bytes | Iterator[bytes]) -> list[int]:
    text = rendered if isinstance(rendered, bytes) else b"".join(rendered)
    members = json.loads(text)
    assert all(json.loads(member)["n"] == int(version) for version, member in members.items())
    return [int(version) for version in members]


def test_a_small_map_is_made_whole_and_a_large_one_in_chunks(service: ConfigService) -> None:
    add_versions(service, 20, size=20_000)
    whole, chunks = render(service, ready_bytes=WIDE), render(service, ready_bytes=1000)
    assert isinstance(whole, bytes)
    assert not isinstance(chunks, bytes)
    parts = list(chunks)
    assert len(parts) > 3
    assert max(len(part) for part in parts) < 100_000
    assert b"".join(parts) == whole


@pytest.mark.parametrize("ready_bytes", [0, WIDE])
def test_a_map_has_the_newest_versions_that_fit(service: ConfigService, ready_bytes: int) -> None:
    add_versions(service, 10, size=1000)
    assert shown(render(service, max_versions=3, ready_bytes=ready_bytes)) == [7, 8, 9]
    assert shown(render(service, max_bytes=4500, ready_bytes=ready_bytes)) == [6, 7, 8, 9]
    assert shown(render(service, max_bytes=1, ready_bytes=ready_bytes)) == [9]


def test_the_second_look_at_a_long_map_counts_the_same(service: ConfigService) -> None:
    add_versions(service, 10, size=1000)
    maps = VersionMaps(service, max_bytes=4500, ready_bytes=0)
    snapshot = service.snapshot()
    entry = service.find_entry(snapshot, "nginx")
    assert shown(maps.render(snapshot, entry)) == shown(maps.render(snapshot, entry)) == [6, 7, 8, 9]


def test_a_map_has_at_most_a_thousand_versions(client: FlaskClient, service: ConfigService) -> None:
    add_versions(service, MAX_VERSIONS + 5)
    assert shown(get(client).data) == list(range(5, MAX_VERSIONS + 5))


@pytest.mark.slow
def test_a_map_is_bounded_in_bytes(client: FlaskClient, service: ConfigService) -> None:
    add_versions(service, 22, size=1_000_000)
    text = get(client).data
    assert len(text) <= MAX_MAP_BYTES
    assert shown(text) == list(range(22 - 16, 22))


def test_what_a_short_text_stands_for_is_counted_by_what_it_becomes(service: ConfigService) -> None:
    text = 'a: &a "' + "x" * 1000 + '"\nb: [' + "*a," * 100 + "]\nn: "
    for number in range(10):
        document = service.read_document(f"{text}{number}\n".encode(), Format.YAML)
        service.commit([PutDocument("nginx", document)])
    assert shown(render(service, max_bytes=450_000, ready_bytes=0)) == [6, 7, 8, 9]


def test_a_long_map_can_be_asked_about_without_being_sent(
    client: FlaskClient, service: ConfigService
) -> None:
    add_versions(service, 400, size=1000)
    head, got = client.head("/config?service=nginx"), get(client)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    assert "Content-Length" not in got.headers


def test_a_map_ends_where_the_service_s_life_began(client: FlaskClient) -> None:
    create(client, "nginx", {"n": 0}, {"n": 1})
    client.patch("/config?service=nginx&enabled=false")
    client.delete("/config?service=nginx")
    create(client, "nginx", {"n": 3})
    put(client, "PATCH", value={"n": 4})
    assert shown(get(client).data) == [3, 4]
