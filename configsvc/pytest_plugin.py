"""Fixtures for the tests of applications; pytest finds them where configsvc is installed.

Every run of pytest loads this, so it imports nothing until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from configsvc.testing import FakeServer
    from configsvc.testing.server import RunningServer


@pytest.fixture
def configsvc_fake() -> FakeServer:
    """Return a server in memory, without configs."""
    from configsvc.testing import FakeServer

    return FakeServer()


@pytest.fixture
def configsvc_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Yield a real server in this process, on an empty repository and a free port of loopback."""
    try:
        from configsvc.testing.server import running_server
    except ModuleNotFoundError as missing:
        pytest.fail(f"configsvc_server: {missing} (expected: pip install 'configsvc[server]')")
    with running_server(tmp_path_factory.mktemp("configsvc")) as server:
        yield server
