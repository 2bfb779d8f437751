from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from configsvc.core.errors import RepositoryUnusable
from configsvc.store import floors
from configsvc.store.diagnosis import Level, diagnose


def test_what_is_installed_is_new_enough() -> None:
    floors.check_floors()


@pytest.mark.parametrize("found", ["3.1.5", "3.1", "2.99.99", "unknown"])
@pytest.mark.parametrize("name", floors.FLOORS)
def test_a_start_refuses_an_older_library_and_the_doctor_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, found: str
) -> None:
    releases = {each: importlib.metadata.version(each) for each in floors.FLOORS} | {name: found}
    monkeypatch.setattr(floors, "version", releases.__getitem__)
    with pytest.raises(RepositoryUnusable, match=rf"^{name}: .*expected: >= 3\.1\."):
        floors.check_floors()
    failures = [each.message for each in diagnose(tmp_path) if each.level is Level.FAILURE]
    assert any(message.startswith(f"{name}: ") for message in failures)


@pytest.mark.parametrize("found", ["3.1.62", "3.2.1", "4", "10.0.0"])
def test_a_newer_library_is_accepted(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr(floors, "version", lambda name: found)
    floors.check_floors()
