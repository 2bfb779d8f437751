"""What a callback may do, and what bugs do to the thread that calls it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from configsvc.client import Change, Client, LiveOptions
from configsvc.client.live import threads
from configsvc.client.live.disk import LastGood
from configsvc.testing import FakeServer
from configsvc.testing.fake import FakeServerTransport
from tests.client.live.following import Settings, followed, on_disk
from tests.client.live.waiting import PATIENCE_S, eventually


def test_a_callback_that_raises_is_logged_and_the_others_are_called(
    server: FakeServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    config = client.config("pay/api", bind=Settings)

    @config.on_change
    def broken(change: Change[Settings]) -> None:
        raise RuntimeError("broken on purpose")

    changes = followed(config)
    server.put("pay/api", {"timeout_s": 1})
    eventually(lambda: changes)
    assert "broken on purpose" in caplog.text
    config.forget(broken)
    caplog.clear()
    server.put("pay/api", {"timeout_s": 2})
    eventually(lambda: len(changes) == 2)
    assert "broken on purpose" not in caplog.text


def test_a_callback_that_ends_its_thread_does_not_end_the_following(
    server: FakeServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    config = client.config("pay/api", bind=Settings)
    config.on_change(lambda change: sys.exit("restart me"))
    changes = followed(config)
    for number in (1, 2):
        server.put("pay/api", {"timeout_s": number})
        eventually(lambda: len(changes) == number)  # noqa: B023 - called in this round only
    assert "SystemExit: restart me" in caplog.text


def test_after_a_bug_no_config_says_that_it_is_the_newest(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "AFTER_A_BUG_S", 60.0)
    transport = FakeServerTransport(server)
    with Client(server.url, transport=transport, live=LiveOptions(cache_dir=None)) as client:
        config = client.config("pay/api", bind=Settings)
        eventually(lambda: config.status.is_connected)
        with monkeypatch.context() as broken:
            broken.setattr(transport, "send", lambda base_url, request: 1 / 0)
            server.put("pay/api", {"timeout_s": 1})
            eventually(lambda: "begun anew after a bug" in caplog.text)
            eventually(lambda: config.age_s)
        assert not config.status.is_connected


def test_a_bug_after_the_end_ends_the_thread(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = server.client(live=on_disk(tmp_path))
    config = client.config("pay/api", bind=Settings)
    eventually(lambda: config.status.is_connected)
    monkeypatch.setattr(LastGood, "save", lambda copies, document: 1 / 0)
    config.on_change(lambda change: client.close())
    server.put("pay/api", {"timeout_s": 1})
    eventually(lambda: "configsvc-watch" not in [thread.name for thread in threading.enumerate()])
    assert "begun anew" not in caplog.text


def test_a_callback_may_close_the_client_and_make_configs(server: FakeServer) -> None:
    server.put("pay/other", {"n": 1})
    client = server.client()
    config = client.config("pay/api")
    done = threading.Event()
    seen: list[object] = []

    def use(change: object) -> None:
        seen.append(client.config("pay/other").value)
        client.close()
        done.set()

    config.on_change(use)
    server.put("pay/api", {"timeout_s": 1})
    assert done.wait(PATIENCE_S)
    assert seen == [{"n": 1}]
    eventually(lambda: "configsvc-watch" not in [thread.name for thread in threading.enumerate()])
