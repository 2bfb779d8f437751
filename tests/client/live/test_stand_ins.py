"""What stands in for a server that is not there: a copy on disk, or a default."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from configsvc.client import Change, NotReady
from configsvc.testing import FakeServer
from tests.client.live.following import Settings, followed, on_disk
from tests.client.live.waiting import PATIENCE_S, eventually


def test_without_a_server_a_copy_a_default_or_nothing(
    tmp_path: Path, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client(live=on_disk(tmp_path)) as client:
        config = client.config("pay/api", bind=Settings)
        server.put("pay/api", {"timeout_s": 20})
        eventually(lambda: config.version == 1)
    server.go_down()
    with server.client(live=on_disk(tmp_path)) as client:
        config = client.config("pay/api", bind=Settings, default=Settings(0.0))
        assert (config.value, config.source, config.version) == (Settings(20.0), "disk", 1)
        assert config.age_s is not None
        assert "pay/api: works from disk: version 1" in caplog.text
        by_default = client.config("pay/new", bind=Settings, default=Settings(1.0))
        assert (by_default.value, by_default["timeout_s"]) == (Settings(1.0), 1.0)
        assert (by_default.source, by_default.version, by_default.age_s) == ("default", None, None)
        nothing = client.config("pay/none", bind=Settings)
        assert (nothing.source, nothing.version) == ("none", None)
        for use in (lambda: nothing.value, lambda: nothing["x"], lambda: nothing.wait_ready(0.01)):
            with pytest.raises(NotReady, match="ConnectError"):
                use()
        changes: list[Change[Settings]] = []
        config.on_change(changes.append)
        nothing.on_change(changes.append)
        server.come_up()
        config.wait_ready(PATIENCE_S, from_server=True)
        server.put("pay/none", {"timeout_s": 5})
        nothing.wait_ready(PATIENCE_S)
        eventually(lambda: changes)
    # What stood on disk is what the server has, so that there was nothing to tell.
    assert [(change.service, change.old, change.old_version) for change in changes] == [
        ("pay/none", None, None)
    ]
    assert config.source == "server"


def test_a_copy_that_does_not_fit_any_more_is_passed_over(tmp_path: Path, server: FakeServer) -> None:
    with server.client(live=on_disk(tmp_path)) as client:
        client.config("pay/api")
    server.go_down()
    with server.client(live=on_disk(tmp_path)) as client:
        config = client.config("pay/api", bind=dict[str, str], default={"a": "b"})
        assert (config.value, config.source) == ({"a": "b"}, "default")


def test_only_what_fits_is_kept_on_disk(tmp_path: Path, server: FakeServer) -> None:
    with server.client(live=on_disk(tmp_path)) as client:
        config = client.config("pay/api", bind=Settings)
        server.put("pay/api", {})
        eventually(lambda: config.status.refusals)
    server.go_down()
    with server.client(live=on_disk(tmp_path)) as client:
        assert client.config("pay/api", bind=Settings).value == Settings(10.0)


def test_a_full_disk_does_not_concern_the_config(
    tmp_path: Path, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with server.client(live=on_disk(tmp_path / "file")) as client:
        config = client.config("pay/api", bind=Settings)
        changes = followed(config)
        for number in range(3):
            server.put("pay/api", {"timeout_s": number})
            eventually(lambda: len(changes) > number)  # noqa: B023 - called in this round only
    assert len([each for each in caplog.records if "no copy is kept" in each.message]) == 1
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
