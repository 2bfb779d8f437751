"""Following one service for a program, whatever is refused meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import cast

import pytest

from configsvc.cli.running import feed
from configsvc.cli.running.feed import Feed
from configsvc.cli.running.rendering import Given, Rendering
from configsvc.cli.target.protocol import Change, Target
from configsvc.client import Document, VersionMade
from configsvc.core.errors import ConfigError, Forbidden, Unauthorized
from tests.cli.conftest import Called
from tests.cli.running.programs import configsvc, lines, wait_until
from tests.end_to_end.serving import QUIET, serving

PATIENCE_S = 60.0


class Refusing:
    """A target whose watches are refused in turn, the last one not; it has one change."""

    def __init__(self, *refusals: ConfigError) -> None:
        self._refusals = list(refusals)
        self.since: list[int] = []

    def watch(self, _: Sequence[str], *, since: int) -> Iterator[Change]:
        self.since.append(since)
        if self._refusals:
            raise self._refusals.pop(0)
        yield Change(7, "c" * 40, (VersionMade("a", 3, "t", False),))

    def get(self, service: str, *, version: int | None) -> Document:
        assert version is not None
        return Document(service, {"n": 1}, version, 7, "t")


def test_a_service_is_followed_again_when_that_was_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed, "FOLLOW_AGAIN_S", 0.0)
    target = Refusing(Unauthorized("token: old"), Unauthorized("token: old"), Forbidden("a: not yours"))
    told: SimpleQueue[Given] = SimpleQueue()
    follower = Feed(cast(Target, target), Rendering("a", "CONFIG_"), 5, told.put)
    follower.start()
    assert told.get(timeout=PATIENCE_S).version == 3
    follower.close()
    assert target.since == [5, 5, 5, 5]
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "token: old; trying again",
        "a: not yours; trying again",
    ]


@pytest.mark.thorough
@pytest.mark.slow
def test_a_token_that_is_replaced_in_its_file_is_used_when_the_old_one_ends(
    call: Called, tmp_path: Path
) -> None:
    repo, token = tmp_path / "repo", tmp_path / "token"

    def mint(name: str) -> None:
        """Put the token of a new principal where the program's is."""
        assert call("token", "create", name, "--role", "admin", "--path", "**", "--repo", repo) == 0
        fresh = tmp_path / name
        fresh.touch(0o600)
        fresh.write_text(call.out.splitlines()[-1])
        fresh.replace(token)

    with serving(repo, *QUIET) as server:
        mint("first")
        at = ("--url", server.url, "--token-file", token)
        assert call("put", "a", *at, stdin="n: 1\n") == 0
        program = "echo $CONFIG_N >> log; exec sleep 100"
        with configsvc("exec", *at, "a", "--", "sh", "-c", program, cwd=tmp_path) as process:
            wait_until(lambda: lines(tmp_path / "log") == ["1"], process)
            mint("second")
            assert call("token", "revoke", "first", "--repo", repo) == 0
            assert call("put", "a", *at, stdin="n: 2\n") == 0
            wait_until(lambda: lines(tmp_path / "log") == ["1", "2"], process)
