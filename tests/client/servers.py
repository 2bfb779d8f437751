"""The two ways to have a real server, for tests that hold for both."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from configsvc.testing.server import RunningServer, running_server
from tests.end_to_end.serving import QUIET, Server, serving

KINDS = ("process", "in-process")


@contextlib.contextmanager
def server_of(kind: str, folder: Path) -> Iterator[Server | RunningServer]:
    """Yield a server of its own process, or one in this process, on a new repository below `folder`."""
    if kind == "process":
        with serving(folder / "repo", *QUIET) as server:
            yield server
    else:
        with running_server(folder) as running:
            yield running
