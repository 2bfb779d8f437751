from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.cli.main import run
from tests.cli.places import PLACES, At


class Called:
    """Runs `configsvc` in this process and keeps what it said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: object, stdin: str | bytes = "") -> int:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "argv", ["configsvc", *map(str, arguments)])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
        code = run()
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    for name in [name for name in os.environ if name.startswith("CONFIGSVC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return Called(monkeypatch, capsys)


@pytest.fixture(
    scope="module",
    params=["url", pytest.param("path", marks=pytest.mark.thorough)],
)
def at(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    """Each of the two places in turn; tests share it, and use services of their own."""
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as place:
        yield place


@pytest.fixture
def on(call: Called, at: At, monkeypatch: pytest.MonkeyPatch) -> On:
    monkeypatch.setenv("CONFIGSVC_SCHEMAS", str(at.repo.parent / "schemas"))
    return On(call, at)


class On:
    """Runs a command on one of the two places."""

    def __init__(self, call: Called, at: At) -> None:
        self.at = at
        self._call = call

    def __call__(self, command: str, *arguments: object, stdin: str | bytes = "") -> int:
        return self._call(command, *self.at.options, *arguments, stdin=stdin)

    @property
    def out(self) -> str:
        return self._call.out

    @property
    def err(self) -> str:
        return self._call.err
