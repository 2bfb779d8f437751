"""`configsvc token`: principals and their tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from configsvc.access.credentials import make_token, token_hash
from configsvc.assembly import answer_noted, open_instance
from configsvc.core.errors import RequestInvalid
from configsvc.core.principals import ROLES, format_time, parse_time
from configsvc.door import ask_door, unix_author
from configsvc.settings import load_settings
from configsvc.store.repository import git_dir_of

DAY_S = 86_400
MAX_DAYS = 3650
DEFAULT_OVERLAP_DAYS = 7.0


@click.group("token")
def command() -> None:
    """Make, list, rotate and revoke the tokens by which principals are known.

    A principal is a file in the repository, .configsvc/principals/NAME.yaml, with its roles and the
    hashes of its tokens; each of these commands makes one commit.  Works while the server runs and while it
    does not, for whoever may write the repository's files.
    """


def _place(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where the principals are."""
    function = click.option("--url", help="Server to ask instead.")(function)
    return click.option("--repo", help="Git working tree that holds the configs.")(function)


def _expires(function: Callable[..., None]) -> Callable[..., None]:
    days = click.FloatRange(0, MAX_DAYS, min_open=True)
    return click.option(
        "--expires", type=days, metavar="DAYS", help="Days until the token is refused; without, never."
    )(function)


@command.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES)), required=True, help="What it may do there.")
@click.option(
    "--path", "paths", multiple=True, required=True, help="Path pattern: payments/**, '**'; may be repeated."
)
@click.option("--description", default="", help="What or who it is.")
@click.option("--email", default="", help="Address that git's history gives its commits.")
@click.option("--unix-user", default="", help="User of the server's machine who acts as it.")
@_expires
@_place
def create(
    name: str,
    role: str,
    paths: tuple[str, ...],
    expires: float | None,
    repo: str | None,
    url: str | None,
    **texts: str,
) -> None:
    """Make the principal NAME; the last line printed is its token.

    The token is not kept anywhere and cannot be shown again.  The first principal has to be an admin:
    --role admin --path '**'.
    """
    token = make_token()
    request = {
        "act": "create",
        "name": name,
        "roles": dict.fromkeys(paths, role),
        "token": _kept(token, expires),
        **texts,
    }
    answer = _ask(request, repo, url)
    click.echo(f"made principal {name} (revision {answer['revision']})")
    click.echo(token)


@command.command("rotate")
@click.argument("name")
@click.option(
    "--overlap",
    type=click.FloatRange(0, 365),
    metavar="DAYS",
    default=DEFAULT_OVERLAP_DAYS,
    show_default=True,
    help="Days that the tokens so far are still accepted; 0 ends them now.",
)
@_expires
@_place
def rotate(name: str, overlap: float, expires: float | None, repo: str | None, url: str | None) -> None:
    """Give the principal NAME another token; the last line printed is the new one."""
    token = make_token()
    request = {"act": "rotate", "name": name, "token": _kept(token, expires), "overlap_s": overlap * DAY_S}
    answer = _ask(request, repo, url)
    click.echo(f"made another token of {name} (revision {answer['revision']})")
    click.echo(token)


@command.command("revoke")
@click.argument("name")
@click.option("--token", "token_id", default="", metavar="ID", help="Only the token with this id, as listed.")
@_place
def revoke(name: str, token_id: str, repo: str | None, url: str | None) -> None:
    """Remove the principal NAME, or one of its tokens; it is refused from the next request on."""
    answer = _ask({"act": "revoke", "name": name, "token_id": token_id}, repo, url)
    what = f"token {token_id} of {name}" if token_id else f"principal {name}"
    click.echo(f"revoked {what} (revision {answer['revision']})")


@command.command("list")
@_place
def list_(repo: str | None, url: str | None) -> None:
    """List the principals with their roles and the ids of their tokens."""
    principals = _ask({"act": "list"}, repo, url)["principals"]
    assert isinstance(principals, list)
    if not principals:
        click.echo("no principals: everyone who reaches the server may do everything")
    for principal in principals:
        _show(principal, now_s=time.time())


def _show(principal: Mapping[str, Any], *, now_s: float) -> None:
    click.echo(principal["name"] + (f": {principal['description']}" if principal.get("description") else ""))
    if "problem" in principal:
        click.echo(f"  not valid, may do nothing: {principal['problem']}")
        return
    for pattern, role in principal["roles"].items():
        click.echo(f"  {role} on {pattern}")
    for token in principal["tokens"]:
        end = "never expires"
        if token["expires"]:
            is_over = parse_time(token["expires"]) <= now_s
            end = f"{'expired' if is_over else 'expires'} {token['expires']}"
        click.echo(f"  token {token['id']}: {end}")


def _kept(token: str, expires: float | None) -> dict[str, str]:
    """Return what is kept of a new token."""
    now_s = time.time()
    kept = {"sha256": token_hash(token), "created": format_time(now_s)}
    return kept if expires is None else kept | {"expires": format_time(now_s + expires * DAY_S)}


def _ask(request: Mapping[str, object], repo: str | None, url: str | None) -> Mapping[str, object]:
    """Return what the server that holds the repository answers, or the repository itself when none runs."""
    if url is not None:
        raise RequestInvalid(
            "--url: principals cannot be changed over HTTP yet (expected: --repo, on the server's machine)"
        )
    settings = load_settings({} if repo is None else {"repo": repo}, os.environ)
    answer = ask_door(git_dir_of(settings.repo.absolute()), {"do": "principals", **request})
    if answer is not None:
        return answer
    with open_instance(settings, create=False) as instance:
        return answer_noted(instance.store, unix_author(os.getuid()), request)
