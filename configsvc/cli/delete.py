"""`configsvc delete`: remove a service."""

from __future__ import annotations

import click

from configsvc.cli.options import if_match_option, targeted, writing
from configsvc.cli.target.protocol import Target
from configsvc.cli.terminal.told import tell


@click.command("delete")
@click.argument("service")
@if_match_option
@writing
@targeted
def command(
    target: Target, service: str, if_match: str | None, message: str | None, dry_run: bool, output: str
) -> None:
    """Delete SERVICE, which has to be disabled; its history stays.

    \b
    Example:
      configsvc disable payments/old
      configsvc delete payments/old -m "Replaced by payments/api"
    """
    tell(target.delete(service, if_match=if_match, message=message, dry_run=dry_run), output)
