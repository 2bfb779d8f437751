"""`configsvc watch`: changes as they come."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from itertools import islice

import click

from configsvc.cli.options import TEXT, output_option, targeted
from configsvc.cli.target.protocol import Change, Target
from configsvc.cli.terminal.output import as_yaml, printable
from configsvc.cli.terminal.paging import styled

INTERRUPTED = 130
"""What a shell says of a command that Ctrl-C ended."""


@click.command("watch")
@click.argument("services", nargs=-1)
@click.option("--prefix", type=TEXT, metavar="TEXT", help="All services whose names start so.")
@click.option("--since", type=click.IntRange(0), metavar="N", help="First what came after revision N.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after N revisions.")
@output_option
@targeted
def command(
    target: Target,
    services: tuple[str, ...],
    prefix: str | None,
    since: int | None,
    limit: int | None,
    output: str,
) -> None:
    """Print what changes in SERVICES, or in all of them, as it comes: each revision once, in order.

    It goes on when the server was away, from where it was.  With --output json each revision is one line;
    with yaml, one document.

    \b
    Example:
      configsvc watch --since 0 --limit 1
      configsvc watch payments/api --since 0 --limit 1 --output json
    """
    logging.basicConfig(format="configsvc: %(message)s", level=logging.WARNING)
    try:
        for change in islice(target.watch(services, prefix=prefix, since=since), limit):
            click.echo(_told(change, output))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _told(change: Change, output: str) -> str:
    if output == "json":
        return json.dumps(asdict(change))
    if output == "yaml":
        return "---\n" + as_yaml(json.loads(json.dumps(asdict(change))))
    revision = styled(f"{change.revision:>7}", fg="yellow")
    return "\n".join(
        f"{revision}  {printable(each.service)}  version {each.version}{'  deleted' if each.deleted else ''}"
        for each in change.services
    )
