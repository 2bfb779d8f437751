"""`configsvc check`: the gate for a working tree or for commits, offline, for CI and before a commit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from configsvc.assembly import open_gate
from configsvc.checking import Findings, check_commits, check_files
from configsvc.core.reports import Violation
from configsvc.settings import load_settings

FORMATS = ("text", "json", "github")


@click.command("check")
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--commits", "range_", metavar="BASE..TIP", help="Judge commits, not the working tree.")
@click.option("--output", type=click.Choice(FORMATS), default="text", help="How findings are told.")
@click.option("--schemas", help="Folder of the operator's own JSON Schemas.")
def command(path: Path, range_: str | None, output: str, schemas: str | None) -> None:
    """Judge the working tree at PATH as the server would judge it.

    All files are judged, those that are not committed yet too, but for those that git ignores.  With
    --commits it says what a push of TIP would be told by a server whose main is BASE.  No server is
    needed, and nothing is changed.  Exits with 1 when something would be refused.

    \b
    Example:
      configsvc check configs --output json
    """
    settings = load_settings({} if schemas is None else {"schemas": schemas}, os.environ)
    root = path.absolute()
    base, dots, tip = (range_ or "..").partition("..")
    if range_ is not None and not (base and dots):
        raise click.BadParameter(f"{range_!r} (expected: BASE..TIP)", param_hint="--commits")
    with open_gate(settings) as gate:
        if range_ is None:
            findings = check_files(root, gate.step)
        else:
            findings = check_commits(root, base, tip.removeprefix(".") or "HEAD", gate.step)
    _tell(findings, output)
    sys.exit(1 if findings.violations else 0)


def _tell(findings: Findings, output: str) -> None:
    if output == "json":
        members = {"files": findings.files, "violations": [each.as_json() for each in findings.violations]}
        click.echo(json.dumps(members, indent=2))
        return
    for violation in findings.violations:
        click.echo(annotation(violation) if output == "github" else str(violation))
    count = len(findings.violations)
    click.echo(f"{count} findings" if count else f"{findings.files} files, nothing to refuse", err=True)


def annotation(violation: Violation) -> str:
    """Return a finding as a workflow command of GitHub, which shows it beside the line it is about."""
    places = {"file": violation.path, "line": violation.line, "col": violation.column}
    told = ",".join(f"{name}={_escaped(str(place), ':,')}" for name, place in places.items() if place)
    message = ": ".join(part for part in (violation.pointer, violation.message) if part)
    return f"::error {told}::{_escaped(message)}" if told else f"::error::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
