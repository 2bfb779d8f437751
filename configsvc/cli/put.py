"""`configsvc put`: create or replace a document."""

from __future__ import annotations

import click

from configsvc.cli.options import format_of, format_option, if_match_option, read_text, targeted, writing
from configsvc.cli.target.protocol import Format, Target
from configsvc.cli.terminal.told import tell


@click.command("put")
@click.argument("service")
@click.argument("file", default="-")
@click.option("--create", is_flag=True, help="Only when there is no such service.")
@format_option
@if_match_option
@writing
@targeted
def command(
    target: Target,
    service: str,
    file: str,
    create: bool,
    text_format: Format | None,
    if_match: str | None,
    message: str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Create or replace the document of SERVICE by FILE, or by standard input.

    JSON that is put where YAML stands edits it: comments and layout stay where nothing changes.

    \b
    Example:
      configsvc put payments/api api.yaml -m "Raise the timeout"
      echo '{"timeout_s": 30}' | configsvc put payments/api --dry-run
    """
    text = read_text(file)
    result = target.put(
        service,
        text=text,
        text_format=format_of(text_format, file, text),
        if_match=if_match,
        create_only=create,
        message=message,
        dry_run=dry_run,
    )
    tell(result, output)
