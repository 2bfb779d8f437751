from __future__ import annotations

from collections.abc import Iterator

import pytest

from configsvc.client import Client
from configsvc.testing import FakeServer


@pytest.fixture
def server() -> FakeServer:
    return FakeServer({"pay/api": {"timeout_s": 10}})


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with server.client() as made:
        yield made
