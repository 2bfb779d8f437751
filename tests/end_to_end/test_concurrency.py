"""Many clients at once: every version has its number, and compare-and-set lets exactly one of them win."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.client import Client, Reply, connected
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.ledger import Ask, Ledger, audit, audit_served
from tests.end_to_end.serving import QUIET, serving

THREADS = 200
PATCHES = 20
RACERS = 16
RACES = 10

pytestmark = pytest.mark.slow


def create(client: Client, service: str) -> Reply:
    reply = client.config("POST", service, {"number": 0})
    assert reply.status == 201
    return reply


def test_numbered_200_threads_with_20_patches_each_make_4000_versions_without_a_hole(tmp_path: Path) -> None:
    ledger, statuses = Ledger(), Counter[int]()
    together = threading.Barrier(THREADS)

    def patch(url: str, thread: int) -> None:
        with connected(url) as client:
            together.wait()
            for number in range(PATCHES):
                ask = Ask("PATCH", "nginx", f"{thread}-{number}", {"thread": thread, "number": number})
                reply = ask.send(client)
                statuses[reply.status] += 1
                ledger.add(ask, reply)

    root = tmp_path / "repo"
    with serving(root, *QUIET) as server:
        with connected(server.url) as client:
            create(client, "nginx")
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(patch, server.url, thread) for thread in range(THREADS)]:
                done.result()
        assert statuses == {200: THREADS * PATCHES}
        versions = sorted(each.version for each in ledger.acknowledged if each.version is not None)
        assert versions == list(range(1, THREADS * PATCHES + 1))
        history = audit(root, ledger)
        assert len(history.versions["nginx"]) == THREADS * PATCHES + 1
        with connected(server.url) as client:
            served = client.config("GET", "nginx").json()
            # The map is bounded: the newest thousand, with their numbers.
            assert sorted(map(int, served)) == list(range(THREADS * PATCHES - 999, THREADS * PATCHES + 1))
            for version in (0, 1, THREADS * PATCHES // 2, THREADS * PATCHES):
                reply = client.config("GET", "nginx", query=f"&version={version}")
                assert (reply.status, reply.version) == (200, version)
        wait_until_clean(root)


def test_compare_and_set_lets_one_of_many_win_and_tells_the_others(tmp_path: Path) -> None:
    ledger = Ledger()
    together = threading.Barrier(RACERS)

    def race(url: str, racer: int) -> list[int]:
        won = []
        with connected(url) as client:
            for number in range(RACES):
                together.wait()
                tag = client.config("GET", "nginx").headers["etag"]
                together.wait()
                ask = Ask("PATCH", "nginx", f"{racer}-{number}", {"racer": racer, "number": number})
                reply = client.config("PATCH", "nginx", ask.value, request_id=ask.request_id, if_match=tag)
                assert reply.status in (200, 412), reply
                if reply.status == 200:
                    ledger.add(ask, reply)
                    won.append(number)
        return won

    root = tmp_path / "repo"
    with serving(root, *QUIET) as server, connected(server.url) as client:
        create(client, "nginx")
        with ThreadPoolExecutor(RACERS) as pool:
            won = [pool.submit(race, server.url, racer) for racer in range(RACERS)]
            assert sorted(number for each in won for number in each.result()) == list(range(RACES))
        history = audit(root, ledger)
        audit_served(client, root, history)


def test_compare_and_set_guards_a_delete_and_the_enabled_flag(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", *QUIET) as server, connected(server.url) as client:
        old = create(client, "nginx").headers["etag"]
        new = client.config("PATCH", "nginx", {"number": 1}).headers["etag"]
        disable = "&enabled=false"
        assert client.config("PATCH", "nginx", query=disable, if_match=old).status == 412
        assert client.config("PATCH", "nginx", query=disable, if_match=new).status == 200
        assert client.config("DELETE", "nginx", if_match=old).status == 412
        assert client.config("DELETE", "nginx", if_match=new).status == 200
        assert client.config("PATCH", "nginx", {"number": 2}, if_match=new).status in (404, 412)
