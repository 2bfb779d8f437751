"""`configsvc token`: principals and their tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from configsvc.access.credentials import make_token, token_hash
from configsvc.cli.options import TEXT, Amount, opened, target_options
from configsvc.cli.target.choosing import Where
from configsvc.cli.target.protocol import Target
from configsvc.cli.target.url import UrlTarget
from configsvc.client import Principal, PrincipalWritten
from configsvc.core.principals import ROLES, format_time, parse_time

TEXTS = ("description", "email", "unix_user")
DAY_S = 86_400
MAX_DAYS = 3650
DEFAULT_OVERLAP_DAYS = 7.0


@click.group("token")
def command() -> None:
    """Make, list, rotate and revoke the tokens by which principals are known.

    A principal is a file in the repository, .configsvc/principals/NAME.yaml, with its roles and the
    hashes of its tokens; each of these commands makes one commit.  On a server it takes an admin's token.
    On a repository of this machine it works while the server runs and while it does not, for whoever may
    write its files.  A token that is made is never sent: the server gets its hash.

    \b
    Example:
      configsvc token create ops --role admin --path '**' --repo configs
      configsvc token list --repo configs
    """


def _expires(function: Callable[..., None]) -> Callable[..., None]:
    days = Amount(0, MAX_DAYS, min_open=True)
    return click.option(
        "--expires", type=days, metavar="DAYS", help="Days until the token is refused; without, never."
    )(function)


@command.command("create")
@click.argument("name", type=TEXT)
@click.option("--role", type=click.Choice(list(ROLES)), required=True, help="What it may do there.")
@click.option(
    "--path",
    "paths",
    type=TEXT,
    multiple=True,
    required=True,
    metavar="TEXT",
    help="Path pattern: payments/**, '**'; may be repeated.",
)
@click.option("--description", type=TEXT, metavar="TEXT", default="", help="What or who it is.")
@click.option(
    "--email", type=TEXT, metavar="TEXT", default="", help="Address that git's history gives its commits."
)
@click.option(
    "--unix-user", type=TEXT, metavar="TEXT", default="", help="User of the server's machine who acts as it."
)
@_expires
@target_options
def create(
    name: str,
    role: str,
    paths: tuple[str, ...],
    expires: float | None,
    where: Where,
    **texts: str,
) -> None:
    """Make the principal NAME; the last line printed is its token.

    The token is not kept anywhere and cannot be shown again.  The first principal has to be an admin:
    --role admin --path '**'.

    \b
    Example:
      configsvc token create ops --role admin --path '**' --repo configs
    """
    token = make_token()
    request = {
        "act": "create",
        "name": name,
        "roles": dict.fromkeys(paths, role),
        "token": _kept(token, expires),
        **texts,
    }
    answer = _ask(request, where)
    click.echo(f"made principal {name} (revision {answer['revision']})")
    click.echo(token)


@command.command("rotate")
@click.argument("name", type=TEXT)
@click.option(
    "--overlap",
    type=Amount(0, 365),
    metavar="DAYS",
    default=DEFAULT_OVERLAP_DAYS,
    show_default=True,
    help="Days that the tokens so far are still accepted; 0 ends them now.",
)
@_expires
@target_options
def rotate(name: str, overlap: float, expires: float | None, where: Where) -> None:
    """Give the principal NAME another token; the last line printed is the new one.

    \b
    Example:
      configsvc token create bot --role admin --path '**' --repo configs
      configsvc token rotate bot --overlap 1 --repo configs
    """
    token = make_token()
    request = {"act": "rotate", "name": name, "token": _kept(token, expires), "overlap_s": overlap * DAY_S}
    answer = _ask(request, where)
    click.echo(f"made another token of {name} (revision {answer['revision']})")
    click.echo(token)


@command.command("revoke")
@click.argument("name", type=TEXT)
@click.option(
    "--token", "token_id", type=TEXT, default="", metavar="ID", help="Only the token with this id, as listed."
)
@target_options
def revoke(name: str, token_id: str, where: Where) -> None:
    """Remove the principal NAME, or one of its tokens; it is refused from the next request on.

    \b
    Example:
      configsvc token create ops --role admin --path '**' --repo configs
      configsvc token create bot --role writer --path 'payments/**' --repo configs
      configsvc token revoke bot --repo configs
    """
    answer = _ask({"act": "revoke", "name": name, "token_id": token_id}, where)
    what = f"token {token_id} of {name}" if token_id else f"principal {name}"
    click.echo(f"revoked {what} (revision {answer['revision']})")


@command.command("list")
@target_options
def list_(where: Where) -> None:
    """List the principals with their roles and the ids of their tokens.

    \b
    Example:
      configsvc token list --repo configs
    """
    principals = _ask({"act": "list"}, where)["principals"]
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


def _ask(request: Mapping[str, Any], where: Where) -> Mapping[str, Any]:
    """Return what came of a request: on a server, through the door of one that runs here, or here."""
    with opened(where, or_default=True) as target:
        if isinstance(target, UrlTarget):
            return _ask_server(target, request)
        return _ask_repository(target, request)


def _ask_server(client: UrlTarget, request: Mapping[str, Any]) -> Mapping[str, Any]:
    name, token = request.get("name", ""), request.get("token", {})
    match request["act"]:
        case "create":
            texts: dict[str, Any] = {key: request[key] or None for key in TEXTS}
            changed = client.create_principal(
                name, request["roles"], token["sha256"], **_dates(token), **texts
            )
        case "rotate":
            overlap_s = request["overlap_s"]
            changed = client.rotate_token(name, token["sha256"], overlap_s=overlap_s, **_dates(token))
        case "revoke" if request["token_id"]:
            changed = client.revoke_token(name, request["token_id"])
        case "revoke":
            changed = client.delete_principal(name)
        case _:
            return {"principals": [_as_members(principal) for principal in _all(client)]}
    assert isinstance(changed, PrincipalWritten)
    return asdict(changed)


def _all(target: UrlTarget) -> Iterator[Principal]:
    for page in target.pages(lambda cursor: target.list_principals(cursor=cursor)):
        yield from page.items


def _as_members(principal: Principal) -> dict[str, Any]:
    """Return a principal as the door tells of it."""
    members = asdict(principal)
    if not principal.problem:
        members.pop("problem")
    return members


def _dates(token: Mapping[str, str]) -> dict[str, Any]:
    return {key: token[key] for key in ("created", "expires") if key in token}


def _ask_repository(target: Target, request: Mapping[str, Any]) -> Mapping[str, Any]:
    from configsvc.assembly import answer_noted, open_instance
    from configsvc.cli.target.path import PathTarget
    from configsvc.door import ask_door, unix_author
    from configsvc.store.repository import git_dir_of

    assert isinstance(target, PathTarget)
    settings = target.settings
    answer = ask_door(git_dir_of(settings.repo.absolute()), {"do": "principals", **request})
    if answer is not None:
        return answer
    with open_instance(settings, create=False) as instance:
        return answer_noted(instance.store, unix_author(os.getuid()), request)
