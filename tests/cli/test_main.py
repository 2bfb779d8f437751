from __future__ import annotations

import gc
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from configsvc import __version__
from configsvc.cli import serve
from configsvc.cli.failing import exit_code
from configsvc.cli.main import COMMANDS, group, run
from configsvc.core import errors

ROOT = Path(__file__).resolve().parents[2]
NOT_AT_START = {"jsonschema", "referencing", "ruamel.yaml"}


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(group, ["--version"]).output == f"configsvc {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_where_the_table_says_and_has_help(name: str) -> None:
    command = getattr(import_module(COMMANDS[name].module), COMMANDS[name].attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0, result.output


def test_help_lists_every_command_without_importing_one() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from configsvc.cli.main import group;"
        "print(CliRunner().invoke(group, ['--help']).output);"
        "print([name for name in ('flask', 'uvicorn', 'git', 'yaml') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert all(name in result.stdout for name in COMMANDS), result.stderr
    assert result.stdout.endswith("[]\n")


def loaded_by(code: str) -> tuple[set[str], str]:
    """Return the modules that a process has after `code`, and what it said on standard error."""
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split()), result.stderr


@pytest.mark.slow
def test_a_server_starts_without_what_only_schemas_and_edits_of_meta_need() -> None:
    loaded, _ = loaded_by("import configsvc.cli.serve")
    assert not loaded & NOT_AT_START


@pytest.mark.slow
def test_a_server_that_is_ready_imports_what_requests_may_need() -> None:
    loaded, said = loaded_by("import configsvc.cli.serve as serve; serve._finish_start()")
    assert loaded >= NOT_AT_START
    assert said == ""


def test_what_cannot_be_imported_yet_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "NOT_AT_START", ("configsvc.missing",))
    monkeypatch.setattr(gc, "freeze", lambda: None)  # it would be this process'
    serve._finish_start()
    assert "configsvc.missing: not imported yet: No module named 'configsvc.missing'" in caplog.text


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(group, ["frobnicate"]).exit_code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError, 1),
        (errors.DocumentInvalid, 2),
        (errors.SettingInvalid, 2),
        (errors.VersionNotFound, 3),
        (errors.ServiceExists, 4),
        (errors.PreconditionFailed, 4),
        (errors.WriteFailed, 5),
        (errors.RepositoryLocked, 6),
        (errors.Forbidden, 7),
    ],
)
def test_an_error_has_the_exit_code_of_its_nearest_class(error: type[errors.ConfigError], code: int) -> None:
    assert exit_code(error("x")) == code


def test_every_error_class_has_an_exit_code() -> None:
    for _, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.ConfigError):
            assert 1 <= exit_code(error("x")) <= 7


def test_an_error_is_one_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise errors.RepositoryLocked("repo: is served by another process")

    monkeypatch.setattr("configsvc.cli.main.group", failing)
    monkeypatch.setattr(sys, "argv", ["configsvc"])
    assert run() == 6
    assert capsys.readouterr().err == "configsvc: repo: is served by another process\n"


def test_a_command_that_succeeds_exits_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("configsvc.cli.main.group", click.command()(lambda: None))
    monkeypatch.setattr(sys, "argv", ["configsvc"])
    assert run() == 0
