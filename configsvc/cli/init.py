"""`configsvc init`: make a repository, or adopt one that exists."""

from __future__ import annotations

import os

import click

from configsvc.assembly import open_instance
from configsvc.core.errors import RepositoryUnusable
from configsvc.settings import Settings, load_settings
from configsvc.store.repository import needs_creation


@click.command("init")
@click.option("--repo", help="Folder of the repository.")
@click.option(
    "--adopt", is_flag=True, help="Take over an existing git repository and list what the gate would refuse."
)
def command(repo: str | None, adopt: bool) -> None:
    """Make the repository that `configsvc serve` serves.

    Without --adopt the folder must be missing, empty, or hold a README alone.  With --adopt it is a
    git working tree on branch main; nothing in it is changed but git's settings.  What the gate
    would refuse today is listed: it is served as it is, and refused when it is next changed.

    \b
    Example:
      configsvc init --repo configs
    """
    settings = load_settings({} if repo is None else {"repo": repo}, os.environ)
    if needs_creation(settings.repo):
        if adopt:
            raise RepositoryUnusable(f"repository: {settings.repo} does not exist (expected: one to adopt)")
        _create(settings)
    elif adopt:
        _adopt(settings)
    else:
        raise RepositoryUnusable(
            f"repository: {settings.repo} is not empty "
            "(expected: an empty folder, or --adopt for a git repository)"
        )


def _create(settings: Settings) -> None:
    with open_instance(settings) as instance:
        store = instance.store
        click.echo(f"made {store.root} (revision {store.snapshot().revision})")
    click.echo(f"next: configsvc serve --repo {settings.repo}")


def _adopt(settings: Settings) -> None:
    with open_instance(settings, create=False) as instance:
        store = instance.store
        snapshot = store.snapshot()
        services = sum(1 for _ in snapshot.services())
        click.echo(f"adopted {store.root} (revision {snapshot.revision}, services {services})")
        violations = instance.judge_all()
    for violation in violations:
        click.echo(f"  {violation}")
    click.echo(
        f"the gate would refuse {len(violations)} of what is there"
        if violations
        else "the gate accepts all of it"
    )
