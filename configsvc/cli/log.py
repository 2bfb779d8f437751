"""`configsvc log`: who changed what, from the repository's own history."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime

import click

from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_service
from configsvc.core.principals import format_time
from configsvc.settings import load_settings
from configsvc.store.repository import git_dir_of
from configsvc.store.trail import TrailEntry, read_trail

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000_000

_AGO = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@click.command("log")
@click.option("--principal", default="", metavar="NAME", help="Only changes by this one: name or address.")
@click.option(
    "--since", metavar="TIME", help="Only from then on: 2026-10-01, 2026-10-01T09:00:00Z, or 7d ago."
)
@click.option("--service", default="", metavar="NAME", help="Only changes of its document, meta or schema.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_LIMIT),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Most changes.",
)
@click.option("--output", type=click.Choice(("text", "json")), default="text", help="How they are told.")
@click.option("--repo", help="Git working tree that holds the configs.")
def command(
    principal: str, since: str | None, service: str, limit: int, output: str, repo: str | None
) -> None:
    """Show who changed what and when, newest first.

    Reads the history of main, so it works beside the server and without it.  What left no commit, such as
    who was refused, is in the server's audit log.  A name with ~ before it is what the pusher's own git wrote
    into a push that landed as it is; the audit log says whose push it was.
    """
    root = load_settings({} if repo is None else {"repo": repo}, os.environ).repo.absolute()
    git_dir_of(root)
    since_s = None if since is None else parse_since(since, now_s=time.time())
    name = parse_service(service) if service else ""
    entries = read_trail(root, principal=principal, since_s=since_s, service=name, limit=limit)
    if output == "json":
        click.echo(json.dumps([_as_json(each) for each in entries], indent=2))
        return
    for entry in entries:
        click.echo(_line(entry))


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


def _line(entry: TrailEntry) -> str:
    subject = entry.message.partition("\n")[0]
    who = ("" if entry.is_vouched else "~") + entry.author.name
    line = f"{entry.revision:>7}  {format_time(entry.committed_at)}  {who:<20}  {subject}"
    return "".join(each if each.isprintable() else "?" for each in line)


def _as_json(entry: TrailEntry) -> dict[str, object]:
    return {
        "revision": entry.revision,
        "commit_id": entry.commit_id,
        "committed_at": format_time(entry.committed_at),
        "author": {"name": entry.author.name, "email": entry.author.email},
        "committer": {"name": entry.committer.name, "email": entry.committer.email},
        "vouched": entry.is_vouched,
        "message": entry.message,
    }
