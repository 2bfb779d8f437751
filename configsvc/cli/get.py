"""`configsvc get`: a document, a value in it, or the list of services."""

from __future__ import annotations

from dataclasses import asdict

import click

from configsvc.cli.options import TEXT, output_option, targeted
from configsvc.cli.target.protocol import Format, Target
from configsvc.cli.terminal.output import show, show_rows


@click.command("get")
@click.argument("service", required=False)
@click.option("--version", type=click.IntRange(0), metavar="N", help="That version, not the newest.")
@click.option("--at", type=TEXT, metavar="COMMIT", help="As it was at a commit or tag of main.")
@click.option("--pointer", type=TEXT, metavar="POINTER", help="One value of it: /limits/cpu, a JSON pointer.")
@click.option("--raw", is_flag=True, help="A value that is text without its quotes.")
@click.option("--format", "format_", type=click.Choice(("json", "yaml")), help="The text in this format.")
@click.option(
    "--prefix", type=TEXT, default="", metavar="TEXT", help="Without SERVICE: only names that start so."
)
@output_option
@targeted
def command(
    target: Target,
    service: str | None,
    version: int | None,
    at: str | None,
    pointer: str | None,
    raw: bool,
    format_: Format | None,
    prefix: str,
    output: str,
) -> None:
    """Print the document of SERVICE as it is stored; without SERVICE, list the services.

    With --output json or yaml the answer has version, revision and etag beside the value.

    \b
    Example:
      configsvc get
      configsvc get payments/api
      configsvc get payments/api --pointer /limits/cpu
      configsvc get payments/api --version 0 --output json
    """
    if service is None:
        _list(target, prefix, output)
        return
    if pointer is None and output == "table":
        _print_text(target, service, version, at, format_)
        return
    document = target.get(service, version=version, at=at, pointer=pointer)
    assert document is not None
    if output != "table":
        show(asdict(document), output)
    elif raw and isinstance(document.value, str):
        click.echo(document.value)
    else:
        show(document.value, format_ or "json")


def _print_text(
    target: Target, service: str, version: int | None, at: str | None, format_: Format | None
) -> None:
    found = target.get_text(service, version=version, at=at, format=format_)
    click.echo(found.text, nl=not found.text.endswith("\n"))


def _list(target: Target, prefix: str, output: str) -> None:
    items = list(target.list_all(prefix))
    if output != "table":
        show([asdict(item) for item in items], output)
        return
    head = ("SERVICE", "VERSION", "FORMAT", "ENABLED", "CHANGED", "AUTHOR")
    rows = [
        (
            item.service,
            str(item.version),
            item.format,
            "yes" if item.enabled else "no",
            item.changed_at,
            item.author,
        )
        for item in items
    ]
    show_rows([head, *rows])
