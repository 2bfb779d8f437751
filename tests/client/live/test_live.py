"""Live configs of threads, on a server in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from configsvc.client import Change, Client, ClientClosed, LiveOptions, Request
from configsvc.core.errors import NameInvalid
from configsvc.testing import FakeServer
from configsvc.testing.fake import FakeServerTransport
from tests.client.live.following import Settings, followed
from tests.client.live.waiting import PATIENCE_S, eventually


class LateWatch(FakeServerTransport):
    """Says nothing of changes while it is late."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(server)
        self.is_late = threading.Event()

    def stream(self, base_url: str, request: Request) -> Any:
        """Return a watch."""
        stream: Any = super().stream(base_url, request)
        read = stream.read
        stream.read = lambda: b": late\n\n" if (data := read()) and self.is_late.is_set() else data
        return stream


def test_the_first_value_is_the_servers(client: Client) -> None:
    config = client.config("pay/api", bind=Settings)
    assert config.value == Settings(10.0)
    assert (config["timeout_s"], config.get("name"), config.version, config.source) == (10, None, 0, "server")
    config.wait_ready(0.0, from_server=True)
    with pytest.raises(KeyError):
        config["name"]


def test_a_change_is_adopted_and_told_with_what_changed(server: FakeServer, client: Client) -> None:
    config = client.config("pay/api", bind=Settings)
    changes = followed(config)
    server.put("pay/api", {"timeout_s": 15, "name": "new"})
    eventually(lambda: changes)
    assert changes == [
        Change("pay/api", Settings(10.0), Settings(15.0, "new"), 0, 1, ("/timeout_s", "/name"))
    ]
    assert (config.value, config.version, config.age_s) == (Settings(15.0, "new"), 1, 0.0)
    assert config.value is config.value


def test_a_version_that_does_not_fit_is_counted_and_not_adopted(
    server: FakeServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    config = client.config("pay/api", bind=Settings)
    changes = followed(config)
    server.put("pay/api", {"timeout_s": "soon"})
    eventually(lambda: config.status.refusals)
    assert (config.value, config.version) == (Settings(10.0), 0)
    assert "version 1 is not adopted: /timeout_s: a string (expected: a number)" in config.status.problem
    assert "version 1 is not adopted" in caplog.text
    eventually(lambda: server.rejections)
    server.put("pay/api", {"timeout_s": 7})
    eventually(lambda: changes)
    assert (config.value, config.version, config.status.problem) == (Settings(7.0), 2, "")
    assert [change.version for change in changes] == [2]
    problem = {"pointer": "/timeout_s", "message": "a string (expected: a number)"}
    assert server.rejections == [{"service": "pay/api", "version": 1, "problems": [problem]}]


def test_a_first_version_that_does_not_fit_is_told_to_the_server_without_values(server: FakeServer) -> None:
    def picky(document: Mapping[str, Any]) -> Settings:
        raise ValueError(f"{document['password']} is too short")

    server.put("pay/api", {"password": "hunter2"})
    options = LiveOptions(cache_dir=None, application="billing")
    with server.client(live=options) as client:
        config = client.config("pay/api", bind=picky)
        eventually(lambda: server.rejections)
        assert "hunter2" in config.status.problem
    told = {"pointer": "", "message": "ValueError"}
    assert server.rejections == [
        {"service": "pay/api", "version": 1, "application": "billing", "problems": [told]}
    ]


def test_who_does_not_want_it_tells_the_server_nothing(server: FakeServer) -> None:
    with server.client(live=LiveOptions(cache_dir=None, report_rejections=False)) as client:
        config = client.config("pay/api", bind=Settings)
        changes = followed(config)
        server.put("pay/api", {"timeout_s": "soon"})
        server.put("pay/api", {"timeout_s": 7})
        eventually(lambda: changes)
    assert server.rejections == []
    assert not [path for _, path in server.requests if "rejections" in path]


def test_an_outage_is_survived_and_ends_at_head_with_one_call(server: FakeServer, client: Client) -> None:
    config = client.config("pay/api", bind=Settings)
    changes = followed(config)
    server.go_down()
    eventually(lambda: not config.status.is_connected)
    for number in range(20):
        server.put("pay/api", {"timeout_s": number})
    assert config.value == Settings(10.0)
    assert (config.age_s or 0.0) > 0.0
    server.come_up()
    eventually(lambda: changes)
    assert [(change.old_version, change.version) for change in changes] == [(0, 20)]
    assert config.value == Settings(19.0)


def test_a_burst_is_told_in_order_once_each_and_ends_at_head(server: FakeServer, client: Client) -> None:
    config = client.config("pay/api", bind=Settings)
    changes = followed(config)
    for number in range(200):
        server.put("pay/api", {"timeout_s": number})
    eventually(lambda: config.version == 200 and changes and changes[-1].version == 200)
    versions = [change.version for change in changes]
    assert versions == sorted(set(versions))
    assert all(later.old == before.new for before, later in pairwise(changes))


def test_many_configs_have_one_watch_and_one_thread(server: FakeServer, client: Client) -> None:
    names = [f"many/s{number}" for number in range(50)]
    for name in names:
        server.put(name, {"n": 0})
    before = threading.active_count()
    configs = [client.config(name) for name in names]
    eventually(lambda: all(config.age_s == 0.0 for config in configs))
    assert threading.active_count() == before + 1
    assert server.watches == 1
    for name in names:
        server.put(name, {"n": 1})
    eventually(lambda: all(config["n"] == 1 for config in configs))
    assert server.watches == 1


def test_a_config_that_comes_later_misses_nothing(server: FakeServer, client: Client) -> None:
    followed(client.config("pay/api", bind=Settings))
    server.put("zoo/api", {"n": 0})
    config = client.config("zoo/api")
    server.put("zoo/api", {"n": 1})
    eventually(lambda: config["n"] == 1)
    eventually(lambda: config.age_s == 0.0)
    server.put("zoo/api", {"n": 2})
    eventually(lambda: config["n"] == 2)


def test_what_is_read_for_a_second_config_is_told_to_the_first(server: FakeServer) -> None:
    transport = LateWatch(server)
    with Client(server.url, transport=transport, live=LiveOptions(cache_dir=None)) as client:
        first = client.config("pay/api", bind=Settings)
        changes = followed(first)
        transport.is_late.set()
        server.put("pay/api", {"timeout_s": 1})
        second = client.config("pay/api", bind=Settings)
        assert (first.version, second.version) == (1, 1)
        eventually(lambda: changes)
        assert [change.version for change in changes] == [1]


def test_two_configs_of_one_service_are_bound_apart(server: FakeServer, client: Client) -> None:
    typed, plain = client.config("pay/api", bind=Settings), client.config("pay/api")
    server.put("pay/api", {"timeout_s": "x"})
    eventually(lambda: plain["timeout_s"] == "x")
    assert typed.value == Settings(10.0)
    typed.close()
    typed.close()
    server.put("pay/api", {"timeout_s": 3})
    eventually(lambda: plain["timeout_s"] == 3)
    assert typed.value == Settings(10.0)


def test_a_deleted_service_keeps_its_last_value_and_says_so(server: FakeServer, client: Client) -> None:
    config = client.config("pay/api", bind=Settings)
    changes = followed(config)
    server.delete("pay/api")
    eventually(lambda: config.status.problem)
    assert config.status.problem == "deleted by version 1; the last value stays"
    assert config.value == Settings(10.0)
    server.put("pay/api", {"timeout_s": 11})
    eventually(lambda: changes)
    assert (changes[0].old_version, changes[0].version, config.status.problem) == (0, 2, "")


def test_a_server_with_another_history_is_followed_from_there(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configsvc.client.live.follower.UNREACHED_FOR_S", 0.0)
    with server.client() as client:
        for number in range(5):
            server.put("pay/api", {"timeout_s": number})
        config = client.config("pay/api", bind=Settings)
        changes = followed(config)
        client.put("pay/own", {"n": 1})
        server.go_down()
        server.restore({"pay/api": {"timeout_s": 99}})
        server.come_up()
        eventually(lambda: changes)
        assert (config.value, config.version) == (Settings(99.0), 0)
        server.put("pay/api", {"timeout_s": 100})
        eventually(lambda: config.value == Settings(100.0))
        assert [(change.old_version, change.version) for change in changes] == [(5, 0), (0, 1)]


def test_closing_ends_the_thread_and_leaves_the_value(server: FakeServer) -> None:
    client = server.client()
    config = client.config("pay/api", bind=Settings)
    client.close()
    client.close()
    assert "configsvc-watch" not in [thread.name for thread in threading.enumerate()]
    assert server.watches == 0
    assert config.value == Settings(10.0)
    with pytest.raises(ClientClosed):
        client.config("pay/api")


def test_a_config_that_is_made_while_the_client_closes_starts_nothing(server: FakeServer) -> None:
    client = server.client()
    asked, go_on = threading.Event(), threading.Event()

    def slowly(document: object) -> object:
        asked.set()
        assert go_on.wait(PATIENCE_S)
        return document

    maker = threading.Thread(target=client.config, args=["pay/api"], kwargs={"bind": slowly})
    maker.start()
    assert asked.wait(PATIENCE_S)
    client.close()
    go_on.set()
    maker.join(PATIENCE_S)
    assert "configsvc-watch" not in [thread.name for thread in threading.enumerate()]


def test_mistakes_are_told_at_once(client: Client) -> None:
    with pytest.raises(NameInvalid):
        client.config("../etc")
    with pytest.raises(TypeError, match="expected: a dataclass"):
        client.config("pay/api", bind=threading.Thread)
