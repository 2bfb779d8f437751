"""`configsvc log`: who changed what, from the history of main."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

from configsvc.cli.options import opened, target_options
from configsvc.cli.target.choosing import Where
from configsvc.cli.target.protocol import LogAsk, LogEntry
from configsvc.cli.terminal.output import OUTPUTS, printable, show
from configsvc.cli.terminal.paging import page, styled
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000_000

_AGO = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@click.command("log")
@click.argument("service", required=False, default="")
@click.option("--principal", default="", metavar="NAME", help="Only changes by this one: name or address.")
@click.option(
    "--since", metavar="TIME", help="Only from then on: 2026-10-01, 2026-10-01T09:00:00Z, or 7d ago."
)
@click.option("--service", "named", default="", metavar="NAME", help="The same as SERVICE.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_LIMIT),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Most changes.",
)
@click.option(
    "--output",
    type=click.Choice((*OUTPUTS, "text")),
    default="table",
    show_default=True,
    help="How they are told; text is the same as table.",
)
@target_options
def command(
    service: str,
    principal: str,
    since: str | None,
    named: str,
    limit: int,
    output: str,
    where: Where,
) -> None:
    """Show who changed what and when, newest first; of SERVICE alone, or of all.

    Of a repository on this machine it reads the history of main, so it works beside the server and without
    it; a change of SERVICE is one of its document, meta or schema.  A server tells what made its versions.
    When nothing is named it is the repository that `configsvc serve` would serve.

    What left no commit, such as who was refused, is in the server's audit log.  A name with ~ before it is
    what the pusher's own git wrote into a push that landed as it is; the audit log says whose push it was.

    \b
    Example:
      configsvc log
      configsvc log payments/api --since 7d --output json
    """
    if service and named:
        raise RequestInvalid("SERVICE: is given with --service (expected: one of them)")
    since_s = None if since is None else parse_since(since, now_s=time.time())
    name = parse_service(service or named) if service or named else ""
    with opened(where, or_default=True) as target:
        entries = target.log(LogAsk(principal, since_s, name, limit))
    if output in ("json", "yaml"):
        show([_as_json(each) for each in entries], output)
    else:
        page(_line(entry) for entry in entries)


def parse_since(text: str, *, now_s: float) -> float:
    """Return the moment that `text` names, seconds since the epoch.

    Raises:
        RequestInvalid: It is neither a time ago, such as `7d`, nor a date or time of ISO 8601
            (in UTC, if it names no zone).
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now_s - int(ago[1]) * _UNIT_S[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        expected = "2026-10-01, 2026-10-01T09:00:00Z, or a time ago such as 30m, 12h, 7d"
        raise RequestInvalid(f"since: {text[:80]!r} (expected: {expected})") from None


def _line(entry: LogEntry) -> str:
    subject = entry.message.partition("\n")[0]
    who = ("" if entry.is_vouched else "~") + entry.author.partition(" <")[0]
    revision, moment = f"{entry.revision:>7}", entry.committed_at
    return "  ".join(
        (
            styled(revision, fg="yellow"),
            moment,
            styled(f"{printable(who):<20}", fg="cyan"),
            printable(subject),
        )
    )


def _as_json(entry: LogEntry) -> dict[str, object]:
    told: dict[str, object] = {
        "revision": entry.revision,
        "commit_id": entry.commit_id,
        "committed_at": entry.committed_at,
        "author": _person(entry.author),
    }
    if entry.committer:
        told |= {"committer": _person(entry.committer), "vouched": entry.is_vouched}
    return told | {"message": entry.message}


def _person(text: str) -> dict[str, str]:
    name, _, address = text.partition(" <")
    return {"name": name, "email": address.removesuffix(">")}
