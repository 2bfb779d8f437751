"""What comparing may cost: few diffs and long maps are made at one time, and of each principal fewer."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.api.seed_versions import MAX_MAPS_EACH, VersionMaps
from configsvc.api.v1.waiting import THREADED_WAITS
from configsvc.app import create_app
from configsvc.core.errors import QueueFull
from configsvc.core.fairturns import FairTurns
from configsvc.core.names import Format
from configsvc.service import ConfigService
from configsvc.service.changes import PutDocument
from configsvc.service.conflicts import MAX_DIFF_BYTES
from configsvc.settings import Settings
from tests.access.book import Book, bearer
from tests.api.v1.calls import CONFIGS, JSON, PATCH, told

DIFF = f"{CONFIGS}/a/x/-/diff?from=0&to=1"


@pytest.fixture
def service() -> ConfigService:
    book = Book()
    book.add("greedy", a__all="writer")
    book.add("modest", a__all="reader")
    service = ConfigService(book.store)
    service.comparing = FairTurns("diffs", most=2, most_waiting=8, most_each=2, patience_s=0.01)
    for number in range(2):
        put_document(service, json.dumps({"n": number}))
    return service


@pytest.fixture
def client(service: ConfigService) -> FlaskClient:
    return create_app(service, Settings()).test_client()


def put_document(service: ConfigService, text: str, format_: Format = Format.JSON) -> None:
    service.commit([PutDocument("a/x", service.read_document(text.encode(), format_))])


def ask(
    client: FlaskClient, who: str, method: str, path: str, value: object = None, **more: str
) -> TestResponse:
    headers = {"Authorization": bearer(who)} | {name.replace("_", "-"): text for name, text in more.items()}
    body = None if value is None else json.dumps(value)
    kind = None if body is None else JSON
    return client.open(path, method=method, data=body, content_type=kind, headers=headers)


@pytest.mark.parametrize("accepted", ["text/x-diff", PATCH])
def test_one_who_asks_for_many_diffs_at_once_is_refused_and_others_are_not(
    client: FlaskClient, service: ConfigService, accepted: str
) -> None:
    service.comparing = FairTurns("diffs", most=3, most_waiting=8, most_each=2, patience_s=0.01)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(service.comparing.taken("greedy"))
        refused = ask(client, "greedy", "GET", DIFF, Accept=accepted)
        assert (refused.status_code, told(refused)["code"]) == (503, "queue-full")
        assert int(refused.headers["Retry-After"]) > 0
        assert ask(client, "modest", "GET", DIFF, Accept=accepted).status_code == 200
    assert ask(client, "greedy", "GET", DIFF, Accept=accepted).status_code == 200


def test_a_dry_run_takes_a_turn_for_its_diffs(client: FlaskClient, service: ConfigService) -> None:
    path = f"{CONFIGS}/a/x?dry_run=true"
    with service.comparing.taken("greedy"), service.comparing.taken("greedy"):
        assert ask(client, "greedy", "PUT", path, {"n": 9}).status_code == 503
        assert ask(client, "greedy", "PUT", f"{CONFIGS}/a/x", {"n": 9}).status_code == 200
    assert ask(client, "greedy", "PUT", path, {"n": 8}).status_code == 200


def test_a_refusal_shows_no_diff_of_large_texts(client: FlaskClient, service: ConfigService) -> None:
    old = ask(client, "greedy", "GET", f"{CONFIGS}/a/x").headers["ETag"]
    put_document(service, json.dumps({"text": "x" * MAX_DIFF_BYTES}))
    refused = ask(client, "greedy", "PUT", f"{CONFIGS}/a/x", {"n": 9}, If_Match=old)
    (detail,) = told(refused)["details"]
    assert refused.status_code == 412
    assert "diff" not in detail
    assert detail["diff_left_out"] == "texts of more than 65536 bytes (compare the versions)"
    assert detail["version"] == 2


def long_map(service: ConfigService, maps: VersionMaps, who: str | None) -> Any:
    snapshot = service.snapshot()
    return maps.render(snapshot, service.find_entry(snapshot, "a/x"), who)


def test_long_maps_of_one_principal_are_few_at_one_time(service: ConfigService) -> None:
    maps = VersionMaps(service, ready_bytes=10)
    made = [long_map(service, maps, "greedy") for _ in range(MAX_MAPS_EACH)]
    with pytest.raises(QueueFull, match="maps: 4 of greedy"):
        long_map(service, maps, "greedy")
    other = long_map(service, maps, "modest")
    assert not isinstance(other, bytes)
    last = made.pop()
    assert not isinstance(last, bytes)
    assert len(json.loads(b"".join(last))) == 2
    made.append(long_map(service, maps, "greedy"))
    made.pop().close()
    made.append(long_map(service, maps, "greedy"))
    made.pop()  # it is never sent
    assert long_map(service, maps, "greedy")


def test_a_long_map_that_has_been_sent_gives_its_turn_back(
    client: FlaskClient, service: ConfigService
) -> None:
    put_document(service, json.dumps({"text": "x" * 300_000}))
    for _ in range(3 * MAX_MAPS_EACH):
        response = ask(client, "modest", "GET", "/config?service=a/x")
        assert (response.status_code, sorted(json.loads(response.data))) == (200, ["0", "1", "2"])
        response.close()


def test_short_texts_that_stand_for_much_make_a_long_map(service: ConfigService) -> None:
    put_document(service, 'a: &a "' + "x" * 1000 + '"\nb: [' + "*a," * 100 + "]\n", Format.YAML)
    maps = VersionMaps(service)
    assert not isinstance(long_map(service, maps, None), bytes)


@pytest.mark.slow
def test_one_principal_does_not_hold_all_threads_that_wait(
    service: ConfigService, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(service, Settings())
    turns, take = threading.Semaphore(0), FairTurns.take

    def taken(self: FairTurns, who: str | None) -> None:
        take(self, who)
        turns.release()

    monkeypatch.setattr(FairTurns, "take", taken)
    with app.test_client() as first:
        tag = ask(first, "modest", "GET", f"{CONFIGS}/a/x").headers["ETag"]

    def wait(who: str, seconds: int) -> int:
        path = f"{CONFIGS}/a/x?wait={seconds}&min_revision=1"
        return ask(app.test_client(), who, "GET", path, If_None_Match=tag).status_code

    with ThreadPoolExecutor(THREADED_WAITS // 2) as crowd:
        waiting = [crowd.submit(wait, "modest", 30) for _ in range(THREADED_WAITS // 2)]
        assert all(turns.acquire(timeout=20.0) for _ in waiting)
        assert wait("modest", 1) == 503
        assert wait("greedy", 1) == 304
        put_document(service, json.dumps({"n": "new"}))
        assert [each.result(20.0) for each in waiting] == [200] * len(waiting)
