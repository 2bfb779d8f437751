"""The two places where commands find configuration: a real server over TCP, and a repository's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from configsvc.app import create_app
from configsvc.assembly import open_instance
from configsvc.edge.watches import make_watches
from configsvc.settings import Settings
from tests.edge.running import running

SCHEMA = b'{"type": "object", "properties": {"timeout_s": {"type": "integer", "maximum": 60}}}'
"""What governs every service below `held/`."""


@dataclass(frozen=True)
class At:
    """One of them.

    Args:
        options: What names it on the command line.
    """

    kind: str
    options: tuple[str, str]
    repo: Path


@contextmanager
def serving(folder: Path) -> Iterator[At]:
    """Serve a new repository in a thread of this process until the block ends."""
    settings = settings_of(folder)
    with open_instance(settings) as instance:
        app = create_app(instance.service, settings, access=instance.access)
        watches = make_watches(instance.service, instance.access, settings)
        with running(app, settings, answerers=watches) as port:
            yield At("url", ("--url", f"http://127.0.0.1:{port}"), settings.repo)


@contextmanager
def alone(folder: Path) -> Iterator[At]:
    """Give a new repository that nobody holds."""
    settings = settings_of(folder)
    with open_instance(settings):
        pass
    yield At("path", ("--repo", str(settings.repo)), settings.repo)


def settings_of(folder: Path) -> Settings:
    """Return the settings for a repository in `folder`, with the operator's schemas beside it."""
    held = folder / "schemas" / "held"
    held.mkdir(parents=True)
    (held / "_default.json").write_bytes(SCHEMA)
    return Settings(repo=folder / "repo", schemas=folder / "schemas")


PLACES = {"url": serving, "path": alone}
