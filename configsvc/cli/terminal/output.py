"""Results as a table for people, or as JSON or YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click

from configsvc.documents.spelling import Layout

OUTPUTS = ("table", "json", "yaml")
_GAP = "  "


def show(value: object, output: str) -> None:
    """Print plain JSON data as `json` or `yaml`."""
    click.echo(as_yaml(value) if output == "yaml" else json.dumps(value, indent=2, ensure_ascii=False))


def show_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell."""
    rows = [[printable(text) for text in row] for row in rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo(_GAP.join(padded).rstrip())


def printable(text: str) -> str:
    """Return one line of text without what could control a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)


def as_yaml(value: object) -> str:
    """Return plain JSON data as YAML in block style, without a line end at its end."""
    if isinstance(value, Mapping | list) and value:
        return "\n".join(Layout().lines(value, 0))
    return json.dumps(value, ensure_ascii=False)
