"""`configsvc export`: documents as files of a folder or a tar archive."""

from __future__ import annotations

import click

from configsvc.cli.options import TEXT, targeted
from configsvc.cli.target.protocol import Target
from configsvc.cli.terminal.progress import with_progress
from configsvc.cli.transfer.destinations import open_destination


@click.command("export")
@click.argument("destination")
@click.option("--prefix", type=TEXT, default="", metavar="TEXT", help="Only services whose names start so.")
@click.option("--overwrite", is_flag=True, help="Into a folder that is not empty, or over an archive.")
@click.option("--dry-run", is_flag=True, help="List what would be written, and write nothing.")
@targeted
def command(target: Target, destination: str, prefix: str, overwrite: bool, dry_run: bool) -> None:
    """Write documents as they are stored to a folder, an archive (.tar, .tar.gz, .tgz); - is tar on stdout.

    All are of one revision.  With --overwrite a document replaces the file of its service, and all other
    files stay, those of deleted services too.  Versions, schemas, principals and whether a service is enabled
    are not exported: `git clone` has all of that.

    \b
    Example:
      configsvc export backup --prefix payments/
      configsvc export backup.tar.gz
    """
    items = list(target.list_all(prefix))
    if dry_run:
        for item in items:
            click.echo(f"{item.service}.{item.format} version {item.version}")
        return
    with open_destination(destination, overwrite=overwrite) as opened:
        for item in with_progress(items, "exporting", len(items)):
            opened.add(target.get_text(item.service, version=item.version), item.changed_at)
    click.echo(f"exported {len(items)} documents", err=True)
