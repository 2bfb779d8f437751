"""`configsvc patch`: change part of a document."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from configsvc.cli.options import DOCUMENT, TEXT, if_match_option, read_text, targeted, writing
from configsvc.cli.target.protocol import Target
from configsvc.cli.terminal.told import tell
from configsvc.core.errors import RequestInvalid

Operations = list[dict[str, object]]


@click.command("patch")
@click.argument("service")
@click.argument("patch", type=DOCUMENT, required=False)
@click.option(
    "--set",
    "sets",
    type=DOCUMENT,
    multiple=True,
    metavar="POINTER=VALUE",
    help="Set one value; JSON, or else text.",
)
@click.option("--remove", "removals", type=TEXT, multiple=True, metavar="POINTER", help="Remove one value.")
@if_match_option
@writing
@targeted
def command(
    target: Target,
    service: str,
    patch: str | None,
    sets: Sequence[str],
    removals: Sequence[str],
    if_match: str | None,
    message: str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Change part of the document of SERVICE; what is not named stays as it is, comments too.

    PATCH is JSON, @FILE or - for standard input: a mapping is a merge patch (RFC 7396), in which null
    removes; a list is a JSON Patch (RFC 6902).  --set and --remove may stand in its place, sets first.

    \b
    Example:
      configsvc patch payments/api '{"timeout_s": 45}'
      configsvc patch payments/api --set /limits/cpu=2 --set /region=eu-west-1
      configsvc patch payments/api --remove /region -m "Not needed any more"
    """
    changes = _parse(patch) if patch is not None else _operations(sets, removals)
    if patch is not None and (sets or removals):
        raise RequestInvalid("PATCH: is given with --set or --remove (expected: one or the other)")
    _check_sendable(changes)
    result = target.patch(service, changes, if_match=if_match, message=message, dry_run=dry_run)
    tell(result, output)


def _parse(text: str) -> dict[str, object] | Operations:
    source = read_text(text[1:]) if text.startswith("@") else read_text("-") if text == "-" else text
    try:
        found = json.loads(source, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(f"PATCH: is not JSON: {error} (expected: a mapping or a list)") from error
    if not isinstance(found, dict | list):
        raise RequestInvalid("PATCH: is neither a mapping nor a list (expected: one)")
    return found


def _check_sendable(changes: object) -> None:
    try:
        json.dumps(changes, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise RequestInvalid("PATCH: a lone surrogate (expected: \\u escapes of UTF-16 in pairs)") from error
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(
            "PATCH: a number that is too large, or nested too deep (expected: JSON within the bounds)"
        ) from error


def _operations(sets: Sequence[str], removals: Sequence[str]) -> Operations:
    if not (sets or removals):
        raise RequestInvalid("PATCH: is missing (expected: PATCH, --set or --remove)")
    made: Operations = []
    for text in sets:
        pointer, equals, value = text.partition("=")
        if not equals or not pointer.startswith("/"):
            raise RequestInvalid(f"--set: {text[:80]!a} (expected: /POINTER=VALUE)")
        made.append({"op": "add", "path": pointer, "value": _value(value)})
    return made + [{"op": "remove", "path": pointer} for pointer in removals]


def _value(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
