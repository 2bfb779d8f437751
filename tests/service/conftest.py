from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.service import ConfigService
from configsvc.store.base import ConfigStore
from configsvc.store.gitstore import GitStore
from configsvc.store.memory import MemoryStore
from configsvc.validation.conformance import SchemaGate
from configsvc.validation.operator import OperatorSchemas
from configsvc.validation.verdicts import SchemaJudge
from configsvc.validation.workers import WorkerPool


@pytest.fixture(scope="package")
def workers() -> Iterator[WorkerPool]:
    with closing(WorkerPool(max_waiting=64)) as pool:
        yield pool


@pytest.fixture
def operator(tmp_path: Path) -> Path:
    """Return the folder of the operator's schemas."""
    folder = tmp_path / "operator"
    folder.mkdir()
    return folder


@pytest.fixture
def gate(workers: WorkerPool, operator: Path) -> SchemaGate:
    judge = SchemaJudge(workers)
    schemas = OperatorSchemas(operator, check=judge.check)
    return SchemaGate(judge, schemas, bounds=DEFAULT_BOUNDS)


@pytest.fixture(params=["memory", "git"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConfigStore]:
    made: ConfigStore = MemoryStore() if request.param == "memory" else GitStore.open(tmp_path / "repo")
    yield made
    made.close()


@pytest.fixture
def service(store: ConfigStore, gate: SchemaGate) -> ConfigService:
    return ConfigService(store, gate=gate)
