"""The reference of all commands, as `docs/cli.md` has it.

`python -m configsvc.cli.reference docs/cli.md` writes it anew; a test holds the page to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from configsvc.cli.failing import EXEC_MEANINGS, MEANINGS
from configsvc.cli.main import group

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
WIDTH = 100
EXAMPLE = "  configsvc "


def reference() -> str:
    """Return the exit codes and each command's help, in Markdown."""
    codes = [f"| {code} | {meaning} |" for code, meaning in (MEANINGS | EXEC_MEANINGS).items()]
    parts = ["## Exit codes", "\n".join(["| code | meaning |", "| --- | --- |", *codes]), "## Commands"]
    for name, command in commands():
        parts += [f"### {name}", f"```text\n{help_of(name, command)}\n```"]
    return "\n\n".join(parts)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its whole name, those of groups too."""
    yield from _below("configsvc", group)


def help_of(name: str, command: click.Command) -> str:
    """Return what `--help` prints of a command."""
    context = click.Context(
        command,
        info_name=name,
        max_content_width=WIDTH,
        terminal_width=WIDTH,
        # As it is run: click keeps the help option of whoever asks first.
        help_option_names=group.context_settings["help_option_names"],
    )
    return command.get_help(context)


def renewed(page: str) -> str:
    """Return a page with the reference between its marks as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _below(name: str, parent: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(parent, info_name=name)
    for child in parent.list_commands(context):
        command = parent.get_command(context, child)
        assert command is not None
        yield f"{name} {child}", command
        if isinstance(command, click.Group):
            yield from _below(f"{name} {child}", command)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
