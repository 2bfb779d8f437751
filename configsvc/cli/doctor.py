"""`configsvc doctor`: what is wrong with this installation and repository, and what to do."""

from __future__ import annotations

import os
import sys

import click

from configsvc.settings import load_settings
from configsvc.store.diagnosis import Level, diagnose


@click.command("doctor")
@click.option("--repo", help="Git working tree that holds the configs.")
def command(repo: str | None) -> None:
    """Check git, the repository and its settings, and say what to do.

    Changes nothing, and may run beside the server.  Exits with 1 when something is broken; a warning
    alone exits with 0.

    \b
    Example:
      configsvc doctor --repo configs
    """
    settings = load_settings({} if repo is None else {"repo": repo}, os.environ)
    broken = False
    for finding in diagnose(settings.repo.absolute()):
        broken = broken or finding.level is Level.FAILURE
        click.echo(f"{finding.level.value:8}{finding.message}")
        if finding.advice:
            click.echo(f"{'':8}-> {finding.advice}")
    sys.exit(1 if broken else 0)
