"""`configsvc enable` and `configsvc disable`: whether a service is guarded against deletion."""

from __future__ import annotations

import click

from configsvc.cli.options import targeted, writing
from configsvc.cli.target.protocol import Target
from configsvc.cli.terminal.told import tell


@click.command("enable")
@click.argument("service")
@writing
@targeted
def enable(target: Target, service: str, message: str | None, dry_run: bool, output: str) -> None:
    """Enable SERVICE, so that it cannot be deleted.

    \b
    Example:
      configsvc enable payments/api
    """
    tell(target.set_enabled(service, True, message=message, dry_run=dry_run), output)


@click.command("disable")
@click.argument("service")
@writing
@targeted
def disable(target: Target, service: str, message: str | None, dry_run: bool, output: str) -> None:
    """Disable SERVICE, so that it can be deleted; it is read as before.

    \b
    Example:
      configsvc disable payments/api -m "On its way out"
    """
    tell(target.set_enabled(service, False, message=message, dry_run=dry_run), output)
