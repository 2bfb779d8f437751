"""`configsvc rollback`: make an old version the newest again."""

from __future__ import annotations

import click

from configsvc.cli.options import if_match_option, targeted, writing
from configsvc.cli.target.protocol import Target
from configsvc.cli.terminal.told import tell


@click.command("rollback")
@click.argument("service")
@click.argument("version", type=click.IntRange(0))
@if_match_option
@writing
@targeted
def command(
    target: Target,
    service: str,
    version: int,
    if_match: str | None,
    message: str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Make a new version of SERVICE with the document that VERSION had, byte for byte.

    \b
    Example:
      configsvc rollback payments/api 0 -m "The new timeout was too short"
    """
    result = target.rollback(service, version, if_match=if_match, message=message, dry_run=dry_run)
    tell(result, output)
