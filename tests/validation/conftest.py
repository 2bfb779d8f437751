from __future__ import annotations

from collections.abc import Iterator

import pytest

from configsvc.validation.workers import WorkerPool


@pytest.fixture(scope="session")
def workers() -> Iterator[WorkerPool]:
    """A pool for all tests: starting a worker takes a good part of a second."""
    pool = WorkerPool()
    yield pool
    pool.close()
