"""`configsvc commit`: take the edits made by hand in the working tree through the gate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from configsvc.assembly import open_instance, outcome_as_json
from configsvc.door import ask_door, unix_author
from configsvc.settings import load_settings
from configsvc.store.repository import git_dir_of


@click.command("commit")
@click.argument("paths", nargs=-1)
@click.option("--repo", help="Git working tree that holds the configs.")
@click.option("-m", "--message", default="", help="Commit message; the first line is the subject.")
@click.option(
    "--overwrite", is_flag=True, help="Also take edits older than the newest version of their service."
)
def command(paths: tuple[str, ...], repo: str | None, message: str, overwrite: bool) -> None:
    """Take the edits made by hand in the working tree through the gate, as one commit.

    PATHS are files or folders; none means all that was edited.  Works while the server runs and
    while it does not.  All edits land, or none does.

    \b
    Example:
      configsvc commit --repo configs -m 'Raise the timeout'
    """
    settings = load_settings({} if repo is None else {"repo": repo}, os.environ)
    root = settings.repo.absolute()
    named = [_inside(root, path) for path in paths]
    request = {"do": "commit", "paths": named, "message": message, "overwrite": overwrite}
    answer = ask_door(git_dir_of(root), request)
    if answer is None:
        with open_instance(settings, create=False) as instance:
            outcome = instance.commit_edits(
                unix_author(os.getuid()), message=message, paths=named, overwrite=overwrite
            )
        answer = outcome_as_json(outcome)
    _tell(answer)


def _inside(root: Path, path: str) -> str:
    """Return a path relative to the repository; one that is given so already stays."""
    place = Path(os.path.normpath(Path.cwd() / path))
    if place.is_relative_to(root):
        return place.relative_to(root).as_posix()
    inside = Path(os.path.normpath(root / path))
    if inside.is_relative_to(root):
        return inside.relative_to(root).as_posix()
    raise click.BadParameter(f"{path!r} is outside of {root} (expected: a path in the repository)")


def _tell(answer: Mapping[str, object]) -> None:
    if not answer["changed"]:
        click.echo("nothing to commit: the working tree is at head")
        return
    click.echo(f"revision {answer['revision']}, commit {answer['commit_id']}")
    versions = answer["versions"]
    assert isinstance(versions, list)
    for made in versions:
        click.echo(f"  {made['service']} version {made['version']}{' (deleted)' if made['deleted'] else ''}")
