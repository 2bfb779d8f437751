"""`configsvc diff`: what differs between two versions."""

from __future__ import annotations

import click

from configsvc.cli.options import output_option, targeted
from configsvc.cli.target.protocol import Target
from configsvc.cli.terminal.output import show
from configsvc.cli.terminal.paging import diff_lines, page


@click.command("diff")
@click.argument("service")
@click.option("--from", "start", type=click.IntRange(0), metavar="N", help="Version to start from.")
@click.option("--to", "end", type=click.IntRange(0), metavar="N", help="Version to end at; else the newest.")
@output_option
@targeted
def command(target: Target, service: str, start: int | None, end: int | None, output: str) -> None:
    """Show what differs between two versions of SERVICE; by default what the newest one changed.

    A unified diff, coloured and paged on a terminal; with --output json or yaml the operations of a JSON
    Patch.

    \b
    Example:
      configsvc diff payments/api
      configsvc diff payments/api --from 0 --to 1 --output json
    """
    if output == "table":
        page(diff_lines(target.diff(service, start=start, end=end).text))
    else:
        found = target.diff_operations(service, start=start, end=end)
        show([dict(each) for each in found.operations], output)
