"""The command `configsvc`: finds the command's module, and turns errors into one line and an exit code.

A module is imported when its command runs, so `configsvc --help` is quick; it
has the command as `command`.  To add one, add a line to `COMMANDS`.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from typing import NamedTuple, NoReturn

import click

from configsvc import __version__
from configsvc.core import errors

EXIT_GRACE_S = 3.0
"""Seconds that threads nobody waits for may delay the end of the process."""


class CommandPlace(NamedTuple):
    """Where a command is, and what `--help` says of it before it is imported."""

    module: str
    help: str


COMMANDS = {
    "serve": CommandPlace("configsvc.cli.serve", "Serve a repository over HTTP."),
    "init": CommandPlace("configsvc.cli.init", "Make a repository, or adopt one that exists."),
    "commit": CommandPlace("configsvc.cli.commit", "Take edits made in the working tree through the gate."),
    "check": CommandPlace("configsvc.cli.check", "Judge a working tree or commits as the server would."),
    "token": CommandPlace("configsvc.cli.token", "Make, list, rotate and revoke tokens of principals."),
    "log": CommandPlace("configsvc.cli.log", "Show who changed what and when."),
    "doctor": CommandPlace("configsvc.cli.doctor", "Check git, the repository and its settings."),
}

EXIT_CODES: dict[type[errors.ConfigError], int] = {
    errors.ConfigError: 1,
    errors.RequestInvalid: 2,  # as click exits for a wrong option
    errors.SettingInvalid: 2,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.PreconditionFailed: 4,
    errors.Unavailable: 5,
    errors.RepositoryUnusable: 6,
}
"""What a command exits with; the nearest class in the table decides.  0 is success."""


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
        command = import_module(place.module).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="configsvc", message="%(prog)s %(version)s")
def group() -> None:
    """A configuration service whose store is a plain git working tree.

    Exit codes: 0 done; 1 failed; 2 a wrong option, setting, name or document; 3 no such service or
    version; 4 the state forbids it; 5 try again later; 6 the repository cannot be used as it is.
    """


def exit_code(error: errors.ConfigError) -> int:
    """Return what a command exits with after `error`."""
    return next(EXIT_CODES[base] for base in type(error).__mro__ if base in EXIT_CODES)


def run() -> int:
    """Run the command line and return the exit code."""
    try:
        group.main(prog_name="configsvc")
    except errors.ConfigError as error:
        click.echo(f"configsvc: {error.message}", err=True)
        return exit_code(error)
    except SystemExit as exit_:  # click's own way to end
        return exit_.code if isinstance(exit_.code, int) else 0


def main() -> NoReturn:
    """Run the command line and exit."""
    code = run()
    # What a command acknowledged is on disk by now; no thread that hangs may hold up the end.
    end = threading.Timer(EXIT_GRACE_S, os._exit, [code])
    end.daemon = True
    end.start()
    sys.exit(code)
