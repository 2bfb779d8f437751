"""The command `configsvc`: finds the command's module, and turns errors into one line and an exit code.

A module is imported when its command runs, so `configsvc --help` is quick; it
has the command as `command`.  To add one, add a line to `COMMANDS`.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, NoReturn

import click

from configsvc import __version__
from configsvc.cli.failing import MEANINGS, exit_code, tell_failure, tell_system_failure
from configsvc.core import errors

TRACEBACK_VARIABLE = "CONFIGSVC_TRACEBACK"

EXIT_GRACE_S = 3.0
"""Seconds that threads nobody waits for may delay the end of the process."""


class CommandPlace(NamedTuple):
    """Where a command is, and what `--help` says of it before it is imported."""

    module: str
    help: str
    attribute: str = "command"


COMMANDS = {
    "serve": CommandPlace("configsvc.cli.serve", "Serve a repository over HTTP."),
    "init": CommandPlace("configsvc.cli.init", "Make a repository, or adopt one that exists."),
    "commit": CommandPlace("configsvc.cli.commit", "Take edits made in the working tree through the gate."),
    "check": CommandPlace("configsvc.cli.check", "Judge a working tree or commits as the server would."),
    "get": CommandPlace("configsvc.cli.get", "Print a document, or list the services."),
    "put": CommandPlace("configsvc.cli.put", "Create or replace a document."),
    "edit": CommandPlace("configsvc.cli.edit", "Edit a document in your editor."),
    "patch": CommandPlace("configsvc.cli.patch", "Change part of a document."),
    "delete": CommandPlace("configsvc.cli.delete", "Delete a service that is disabled."),
    "enable": CommandPlace("configsvc.cli.enabling", "Guard a service against deletion.", "enable"),
    "disable": CommandPlace("configsvc.cli.enabling", "Let a service be deleted.", "disable"),
    "diff": CommandPlace("configsvc.cli.diff", "Show what differs between two versions."),
    "log": CommandPlace("configsvc.cli.log", "Show who changed what and when."),
    "rollback": CommandPlace("configsvc.cli.rollback", "Make an old version the newest again."),
    "validate": CommandPlace("configsvc.cli.validate", "Judge a document without writing it."),
    "watch": CommandPlace("configsvc.cli.watching", "Print changes as they come."),
    "exec": CommandPlace("configsvc.cli.executing", "Run a program with its configuration."),
    "import": CommandPlace("configsvc.cli.importing", "Put the documents of a folder or an archive."),
    "export": CommandPlace("configsvc.cli.exporting", "Write documents to a folder or an archive."),
    "token": CommandPlace("configsvc.cli.token", "Make, list, rotate and revoke tokens of principals."),
    "doctor": CommandPlace("configsvc.cli.doctor", "Check git, the repository and its settings."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now; None when there is none of that name."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        command = getattr(load_module(place.module), place.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + ".",
)
@click.version_option(__version__, prog_name="configsvc", message="%(prog)s %(version)s")
def group() -> None:
    """A configuration service whose store is a plain git working tree."""


def load_module(name: str) -> ModuleType:
    """Return the module of a command.

    Raises:
        SettingInvalid: A library that it needs is not installed.
    """
    # A tenth of what an import takes is a search for garbage among what it makes, which all stays.
    gc.disable()
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("configsvc"):
            raise
        raise errors.SettingInvalid(
            f"{name.rpartition('.')[2]}: {error.name} is not installed "
            "(expected: `pip install 'configsvc[server]'`)"
        ) from error
    finally:
        gc.freeze()
        gc.enable()


def run() -> int:
    """Run the command line and return the exit code."""
    try:
        group.main(prog_name="configsvc")
    except errors.ConfigError as error:
        tell_failure(error)
        return exit_code(error)
    except SystemExit as exit_:  # click's own way to end
        return exit_.code if isinstance(exit_.code, int) else 0
    except OSError as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        tell_system_failure(error)
        return 1
    except Exception as error:  # the edge of the process
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        click.echo(
            f"configsvc: {type(error).__name__}: {error} (our mistake; {TRACEBACK_VARIABLE}=1 shows where)",
            err=True,
        )
        return 1


def fill_closed_streams() -> None:
    """Open what this process was started without, so that no file or connection takes its number."""
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")  # noqa: SIM115


def main() -> NoReturn:
    """Run the command line and exit."""
    fill_closed_streams()
    code = run()
    # What a command acknowledged is on disk by now; no thread that hangs may hold up the end.
    end = threading.Timer(EXIT_GRACE_S, os._exit, [code])
    end.daemon = True
    end.start()
    sys.exit(code)
