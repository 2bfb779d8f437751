"""The page on the command line says what the code does, and what it shows works."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.cli.failing import EXIT_CODES, MEANINGS
from configsvc.cli.reference import EXAMPLE, commands, help_of, renewed
from configsvc.client import Client
from configsvc.settings import Settings
from tests.end_to_end.serving import ROOT, Server, serving

PAGE = ROOT / "docs" / "cli.md"
TEXT = "# of the payments team\ntimeout_s: 30\nlimits:\n  cpu: 1\n"
LASTS = ("configsvc serve",)
"""Examples that go on until they are stopped."""


def examples(name: str) -> list[str]:
    """Return the commands that a command's help shows."""
    (text,) = (help_of(each, command) for each, command in commands() if each == name)
    return [
        line.strip()
        for line in text.splitlines()
        if line.startswith("  " + EXAMPLE) or " | configsvc " in line
    ]


NAMES = [name for name, _ in commands()]


def test_the_page_is_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), "python -m configsvc.cli.reference docs/cli.md"


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == {0, *EXIT_CODES.values()}


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_every_command_shows_an_example(name: str) -> None:
    assert examples(name)
    assert all(name in example for example in examples(name)[-1:])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("examples") / "served") as server:
        yield server


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_command_work(
    tmp_path: Path, name: str, served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, served.url, monkeypatch)
    if name == "configsvc init":
        (tmp_path / "configs").rename(tmp_path / "other")
    for example in examples(name):
        if name in LASTS:
            lasts(tmp_path, example)
        else:
            run(tmp_path, example)


def prepare(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what examples name, files and services, and have `configsvc` be the one of this project."""
    program = folder / "bin" / "configsvc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m configsvc.cli "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("EDITOR", "sed -i s/30/40/")
    monkeypatch.setenv("CONFIGSVC_URL", url)
    (folder / "api.yaml").write_text(TEXT)
    with Client(url) as client:
        client.put("payments/api", text=TEXT)
        client.put("payments/api", text=TEXT.replace("cpu: 1", "cpu: 2"))
        client.put("payments/old", text=TEXT)
        client.patch_meta("payments/api", {"enabled": True})
    with open_instance(Settings(repo=folder / "configs")):
        (folder / "configs" / "edited.yaml").write_text("a: 1\n")


def run(folder: Path, script: str) -> None:
    """Run shell commands; fail when one fails, or tells a traceback."""
    done = subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), script + done.stdout + done.stderr


def lasts(folder: Path, example: str) -> None:
    """Run a command that goes on, until it says something; then stop it."""
    command = ["bash", "-euc", "exec " + example.replace(":5000", ":0")]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
