"""Too many requests are refused on every door, by every layer, and counted once."""

from __future__ import annotations

import http.client
import ipaddress
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from configsvc.access.rates import RateLimits
from configsvc.app import create_app, unlogged
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.watches import make_watches
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book, bearer
from tests.edge.running import Answer, running

GIT = "/config-repo.git/info/refs"
DOORS = ["/config?service=web", "/api/v1/configs/web", "/api/v1/configs?prefix=w", GIT, "/nowhere"]
WATCHES = ["/api/v1/watch", "/api/v1/configs/web?wait=1"]


@contextmanager
def serving(
    settings: Settings, *, burst: int, per_principal: bool = False
) -> Iterator[tuple[int, HotAnswerer]]:
    """Yield the port of a server that takes `burst` requests of a client, and hardly another one."""
    book = Book()
    book.put("web.json", b'{"a": 1}\n')
    if per_principal:
        book.add("one", all="reader")
        book.add("two", all="reader")
    service = ConfigService(book.store)
    rates = RateLimits(
        book.access,
        proxies=[ipaddress.ip_network("127.0.0.1")],
        burst_s=burst * 1000.0,
        **{"per_principal" if per_principal else "per_address": 0.001},  # type: ignore[arg-type]
    )
    app = create_app(service, settings, access=book.access, rates=rates)
    with ExitStack() as held:
        hot = HotAnswerer(unlogged(app), book.access, service, settings.hot_cache_bytes)
        held.enter_context(closing(hot))
        answerers = make_watches(service, book.access, settings)
        port = held.enter_context(
            running(app, settings, hot=hot, answerers=answerers, rates=rates, streamed_path=GIT)
        )
        yield port, hot


def read(port: int, target: str, **headers: str) -> Answer:
    """Return the answer to a plain request, which does not ask for the connection to be closed."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", target, headers={"Host": "localhost", **sent})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, b"" if response.chunked else response.read())


@pytest.mark.parametrize("wire", [False, True], ids=["edge", "wire"])
@pytest.mark.parametrize("target", DOORS + WATCHES)
def test_one_too_many_is_refused_on_every_door(target: str, wire: bool) -> None:
    with serving(Settings(wire=wire), burst=3) as (port, hot):
        allowed = [read(port, "/config?service=web").status for _ in range(3)]
        refused = read(port, target)
        assert sum(hot.ready.values()) == 2  # the first was made by the application
        alive = [read(port, probe).status for probe in ("/healthz", "/readyz") for _ in range(5)]
    assert allowed == [200] * 3
    assert alive == [200] * 10
    assert refused.status == 429
    assert 900 <= int(refused.headers["retry-after"]) <= 1000
    assert int(refused.headers["config-revision"]) > 0
    told = json.loads(refused.body)
    if target.startswith("/config?"):
        assert (told["error"], told["success"]) == (429, False)
        assert told["details"][0]["code"] == "rate-exceeded"
    else:
        assert (told["status"], told["code"]) == (429, "rate-exceeded")


@pytest.mark.parametrize("target", ["/config?service=web", "/api/v1/configs/web?wait=1", "/nowhere"])
def test_a_request_that_passes_several_layers_is_counted_once(target: str) -> None:
    with serving(Settings(), burst=4) as (port, _):
        statuses = [read(port, target).status for _ in range(5)]
    assert statuses[:4] == [404 if target == "/nowhere" else 200] * 4
    assert statuses[4] == 429


def test_a_principal_is_refused_and_others_are_not() -> None:
    with serving(Settings(), burst=2, per_principal=True) as (port, _):
        asked = [
            read(port, "/config?service=web", Authorization=bearer(who)).status
            for who in ("one", "one", "one", "two", "nobody")
        ]
    assert asked == [200, 200, 429, 200, 401]


def test_behind_a_proxy_each_client_is_counted_for_itself() -> None:
    with serving(Settings(), burst=1) as (port, _):
        asked = [
            read(port, "/config?service=web", X_Forwarded_For=f"203.0.113.9, {client}").status
            for client in ("198.51.100.1", "198.51.100.1", "198.51.100.2")
        ]
    assert asked == [200, 429, 200]


def test_without_anything_in_front_the_application_counts() -> None:
    book = Book()
    rates = RateLimits(book.access, per_address=0.001, burst_s=2000.0)
    client = create_app(ConfigService(book.store), Settings(), access=book.access, rates=rates).test_client()
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/healthz").status_code == 200


def test_the_log_tells_from_where_one_too_many_came(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "configsvc.access"),
        serving(Settings(), burst=1) as (port, _),
    ):
        for _ in range(2):
            read(port, "/nowhere", X_Forwarded_For="198.51.100.7")
    lines = [each.__dict__ for each in caplog.records if each.name == "configsvc.access"]
    assert [(each["status"], each["remote"]) for each in lines] == [
        (404, "198.51.100.7"),
        (429, "198.51.100.7"),
    ]
