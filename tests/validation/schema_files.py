"""Schemas in memory, and the cases kept as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from configsvc.validation.schemas import Schema, SchemaSource, find_schema

FOLDER = Path(__file__).parent / "schemas"


def source(files: Mapping[str, object], folder: str = "schemas") -> SchemaSource:
    """Return a source with these files; bytes stay as they are, anything else becomes JSON."""
    texts = {path: as_bytes(value) for path, value in files.items()}
    return SchemaSource(folder, texts.get)


def as_bytes(value: object) -> bytes:
    """Return the bytes of a file."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def schema(value: object, **others: object) -> Schema:
    """Return the schema `web.json`; the other files are given by name without extension."""
    files = {"web.json": value, **{f"{name}.json": other for name, other in others.items()}}
    found = find_schema("web.json", source(files))
    assert found is not None
    return found


def nested(depth: int, key: str = "next") -> object:
    """Return a mapping `depth` levels deep."""
    value: dict[str, object] = {}
    for _ in range(depth - 1):
        value = {key: value}
    return value


def case_names(folder: str) -> list[str]:
    """Return the cases of a folder, sorted; never none."""
    found = sorted(path.stem for path in (FOLDER / folder).glob("*.json"))
    assert found, f"no cases in {folder}"
    return found


def read_case(folder: str, name: str) -> dict[str, object]:
    """Return what a case says."""
    case = json.loads((FOLDER / folder / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(case, dict)
    return case
