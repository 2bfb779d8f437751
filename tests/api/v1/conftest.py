from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.service import ConfigService
from configsvc.store.memory import MemoryStore
from configsvc.validation.conformance import SchemaGate
from configsvc.validation.operator import OperatorSchemas
from configsvc.validation.verdicts import SchemaJudge
from configsvc.validation.workers import WorkerPool


@pytest.fixture(scope="package")
def workers() -> Iterator[WorkerPool]:
    with closing(WorkerPool()) as pool:
        yield pool


@pytest.fixture
def gate(workers: WorkerPool, tmp_path: Path) -> SchemaGate:
    judge = SchemaJudge(workers)
    schemas = OperatorSchemas(tmp_path, check=judge.check)
    return SchemaGate(judge, schemas, bounds=DEFAULT_BOUNDS)


@pytest.fixture
def service(store: MemoryStore, gate: SchemaGate) -> ConfigService:
    return ConfigService(store, gate=gate)
