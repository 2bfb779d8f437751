"""What came of a write, in words or as data."""

from __future__ import annotations

from dataclasses import asdict

import click

from configsvc.cli.terminal.output import show
from configsvc.cli.terminal.paging import diff_lines
from configsvc.client import Committed, Deleted, DryRun, MetaWritten, Written


def tell(result: Written | Deleted | Committed | MetaWritten | DryRun, output: str) -> None:
    """Print what came of a write."""
    if output != "table":
        show(asdict(result), output)
    elif isinstance(result, DryRun):
        _tell_dry(result)
    elif not result.changed:
        click.echo("nothing to change")
    else:
        click.echo(_line(result))


def _line(result: Written | Deleted | Committed | MetaWritten) -> str:
    landed = f"(revision {result.revision}, commit {result.commit_id[:12]})"
    match result:
        case Written(service, version):
            return f"{service} version {version} {landed}"
        case Deleted(service, version):
            return f"{service} deleted, version {version} {landed}"
        case MetaWritten(service, enabled):
            return f"{service} {'enabled' if enabled else 'disabled'} {landed}"
        case Committed():
            return f"{len(result.versions)} services {landed}"


def _tell_dry(result: DryRun) -> None:
    if not result.changed:
        click.echo("nothing would change")
    for diff in result.diffs:
        for line in diff_lines(diff.diff):
            click.echo(line)
