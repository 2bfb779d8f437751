"""What a person sees at a terminal, and a program does not."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.cli.terminal.output import as_yaml, printable
from configsvc.settings import Settings
from tests.cli.conftest import Called
from tests.end_to_end.serving import ROOT


@pytest.fixture
def repo(tmp_path: Path, call: Called) -> Path:
    with open_instance(Settings(repo=tmp_path / "repo")):
        pass
    call("put", "a", "--repo", tmp_path / "repo", stdin="n: 1\n")
    call("put", "a", "--repo", tmp_path / "repo", stdin="n: 2\n")
    return tmp_path / "repo"


def at_terminal(*arguments: object, **environ: str) -> str:
    """Return what `configsvc` shows on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "configsvc.cli", *map(str, arguments)]
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "PAGER", "LESS")
    }
    environ = inherited | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PAGER": "cat"} | environ
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says so when the last one at the other end is gone
            while part := os.read(ours, 1 << 16):
                shown += part
        os.close(ours)
        assert process.wait(20) == 0, shown
    return shown.decode()


@pytest.mark.thorough
@pytest.mark.slow
def test_differences_and_the_log_are_coloured_and_paged_at_a_terminal(repo: Path, tmp_path: Path) -> None:
    assert "\x1b[31m-n: 1\x1b[0m" in at_terminal("diff", "a", "--repo", repo)
    assert "\x1b[" not in at_terminal("diff", "a", "--repo", repo, NO_COLOR="1")
    assert "\x1b[" not in at_terminal("diff", "a", "--repo", repo, TERM="dumb")
    assert "\x1b[33m" in at_terminal("log", "--repo", repo)
    at_terminal("log", "--repo", repo, PAGER=f"tee {tmp_path}/paged")
    assert len((tmp_path / "paged").read_text().splitlines()) == 3


@pytest.mark.thorough
@pytest.mark.slow
def test_progress_is_shown_at_a_terminal_and_nowhere_else(call: Called, repo: Path, tmp_path: Path) -> None:
    assert "100%" in at_terminal("export", tmp_path / "one", "--repo", repo)
    assert call("export", tmp_path / "two", "--repo", repo) == 0
    assert call.err == "exported 1 documents\n"


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "configsvc.cli"],
        env=os.environ | {"_CONFIGSVC_COMPLETE": f"{shell}_source", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "_CONFIGSVC_COMPLETE=" in done.stdout, done.stderr


def test_what_could_control_a_terminal_is_not_shown() -> None:
    assert printable("a\x1b[31mb\u202ec\n") == "a?[31mb?c?"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, {"b": None}]}, "a:\n  - 1\n  - b: null"),
        ([], "[]"),
        ({}, "{}"),
        ("x", '"x"'),
        ([{"a": 1}], "- a: 1"),
    ],
)
def test_results_are_written_as_yaml(value: object, text: str) -> None:
    assert as_yaml(value) == text
