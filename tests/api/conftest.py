from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def service(store: MemoryStore, settings: Settings) -> ConfigService:
    return ConfigService(store, bounds=settings.bounds)


@pytest.fixture
def app(service: ConfigService, settings: Settings) -> Flask:
    return create_app(service, settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
