"""Long output for people: colour and pages, where there is a terminal, and nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

import click

_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def is_coloured() -> bool:
    """Return whether colour is wanted: a terminal that has it, and no NO_COLOR (https://no-color.org)."""
    is_able = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return is_able and not os.environ.get("NO_COLOR")


def page(lines: Iterable[str]) -> None:
    """Print lines; by $PAGER, or less, when a terminal shows them."""
    if not sys.stdout.isatty():
        for line in lines:
            click.echo(line)
        return
    os.environ.setdefault("LESS", "FRX")  # as git does: what fits on the screen needs no pager
    # click ends the last line.
    texts = (line if number == 0 else "\n" + line for number, line in enumerate(lines))
    click.echo_via_pager(texts, color=is_coloured())


def diff_lines(text: str) -> Iterator[str]:
    """Yield the lines of a unified diff, coloured where colour is wanted."""
    for line in text.splitlines():
        colour = _DIFF_COLOURS.get(line[:1])
        if line.startswith(("+++", "---")):
            yield styled(line, bold=True)
        else:
            yield styled(line, fg=colour) if colour else line


def styled(text: str, *, fg: str | None = None, bold: bool | None = None) -> str:
    """Return text in a colour where colour is wanted."""
    return click.style(text, fg=fg, bold=bold) if is_coloured() else text
