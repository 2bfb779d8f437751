"""`configsvc validate`: what the gate would say of a document, without writing it."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from configsvc.cli.options import format_of, format_option, output_option, read_text, targeted
from configsvc.cli.target.protocol import Format, Target
from configsvc.cli.terminal.output import printable, show
from configsvc.client import Violation


@click.command("validate")
@click.argument("service")
@click.argument("file", default="-")
@format_option
@output_option
@targeted
def command(target: Target, service: str, file: str, text_format: Format | None, output: str) -> None:
    """Judge FILE, or standard input, as the document of SERVICE: form, bounds and schemas.

    Every finding is told with its line and column.  Exits with 1 when there is one.

    \b
    Example:
      configsvc validate payments/api api.yaml
    """
    text = read_text(file)
    verdict = target.validate(service, text=text, text_format=format_of(text_format, file, text))
    if output != "table":
        show(asdict(verdict), output)
    else:
        for found in verdict.violations:
            click.echo(finding_line(found, file))
        click.echo("valid" if verdict.valid else f"{len(verdict.violations)} findings", err=True)
    sys.exit(0 if verdict.valid else 1)


def finding_line(found: Violation, path: str) -> str:
    """Return a finding on one line, with its place in the file at `path`."""
    place = f"{path}:{found.line}:{found.column}" if found.line else path
    return printable(": ".join(part for part in (place, found.pointer, found.message) if part))
