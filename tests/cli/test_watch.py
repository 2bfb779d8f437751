"""watch: changes as they come, whoever makes them and whatever breaks in between."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from configsvc.client import Client
from tests.cli.conftest import On
from tests.cli.running.programs import configsvc
from tests.end_to_end.serving import QUIET, serving

pytestmark = pytest.mark.slow


def test_what_came_since_a_revision_is_told_in_order(on: On) -> None:
    on("put", "watch/a", stdin="n: 1\n")
    on("log", "--limit", "1", "--output", "json")
    since = json.loads(on.out)[0]["revision"]
    on("put", "watch/other", stdin="n: 1\n")
    on("put", "watch/a", stdin="n: 2\n")
    on("disable", "watch/a")
    on("delete", "watch/a")
    assert on("watch", "watch/a", "--since", since, "--limit", "2", "--output", "json") == 0
    told = [json.loads(line) for line in on.out.splitlines()]
    assert [each["services"][0]["version"] for each in told] == [1, 2]
    assert [each["services"][0]["deleted"] for each in told] == [False, True]
    assert told[0]["revision"] == since + 2
    assert on("watch", "--prefix", "watch/o", "--since", since, "--limit", "1") == 0
    assert on.out.split() == [str(since + 1), "watch/other", "version", "0"]
    assert on("watch", "watch/a", "--since", since, "--limit", "1", "--output", "yaml") == 0
    assert on.out.startswith("---\nrevision: ")


def test_what_cannot_be_watched_is_told(on: On) -> None:
    assert on("watch", "--since", "999999", "--limit", "1") == 2
    assert "expected: <=" in on.err
    assert on("watch", "No Name", "--since", "0") == 2


@pytest.mark.thorough
def test_a_watch_goes_on_where_it_was_when_its_server_dies_and_comes_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    flags = ("--listen", f"127.0.0.1:{port}", *QUIET)
    run = ("watch", "--url", f"http://127.0.0.1:{port}", "--since", "1", "--output", "json", "--limit", "4")
    with (
        serving(tmp_path / "repo", *flags) as server,
        Client(server.url) as client,
        configsvc(*run, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        client.put("a", {"n": 1})
        told = [process.stdout.readline()]
        server.kill()
        assert "trying again" in process.stderr.readline()
        with serving(tmp_path / "repo", *flags):
            for number in (2, 3, 4):
                client.put("a", {"n": number})
            told += process.stdout.readlines()
            assert process.wait(20) == 0
    assert [json.loads(line)["services"][0]["version"] for line in told] == [0, 1, 2, 3]
