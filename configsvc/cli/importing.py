"""`configsvc import`: files of a folder or a tar archive as documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from configsvc.cli.options import TEXT, targeted
from configsvc.cli.target.protocol import NewDocument, Target
from configsvc.cli.terminal.progress import with_progress
from configsvc.cli.transfer.sources import read_source
from configsvc.client import Committed, DryRun
from configsvc.core.errors import ConfigError

MAX_COMMIT_DOCUMENTS = 500
MAX_COMMIT_BYTES = 2 << 20
"""What goes into one commit; a server takes twice the number, and in JSON a text is larger than it is.

So many bytes of YAML or JSON as people write it have far fewer values than a commit may hold.
"""


@click.command("import")
@click.argument("source")
@click.option(
    "--strip",
    type=click.IntRange(0, 8),
    default=0,
    metavar="N",
    help="Take N folders off the front of each path.",
)
@click.option(
    "-m", "--message", type=TEXT, metavar="TEXT", help="Why; the first line is the commits' subject."
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@targeted
def command(target: Target, source: str, strip: int, message: str | None, dry_run: bool) -> None:
    """Put the documents in SOURCE: a folder, a tar archive, plain or with gzip, or - for one on stdin.

    payments/api.yaml becomes the service payments/api.  Files with other endings, and dot-folders, are passed
    over.  Up to 500 documents, or 2 MiB of them, are one commit, all or nothing; more are several.  Services
    that are not in SOURCE stay, and what is equal already makes no version.

    \b
    Example:
      configsvc import configs --dry-run
      configsvc import configs -m "Move in"
    """
    documents = read_source(source, strip=strip)
    batches = list(_batches(documents))
    done = changed = 0
    try:
        for batch in with_progress(batches, "importing", len(batches)):
            made = target.put_many(batch, message=message, dry_run=dry_run)
            changed += len(made.versions)
            done += len(batch)
            _tell(made)
    except (ConfigError, KeyboardInterrupt):
        if done:
            click.echo(f"configsvc: {done} of {len(documents)} documents were taken before that", err=True)
        raise
    verb = "would change" if dry_run else "changed"
    click.echo(f"{len(documents)} documents, {changed} {verb}", err=True)


def _tell(made: Committed | DryRun) -> None:
    for each in made.versions:
        click.echo(f"{each.service} version {each.version}")


def _batches(documents: Sequence[NewDocument]) -> Iterator[list[NewDocument]]:
    batch: list[NewDocument] = []
    size = 0
    for document in documents:
        more = document.size  # encodes the text
        if batch and (len(batch) == MAX_COMMIT_DOCUMENTS or size + more > MAX_COMMIT_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += more
    if batch:
        yield batch
