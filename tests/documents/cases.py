"""The cases kept as files, and the parser that each is for."""

from __future__ import annotations

from pathlib import Path

from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.json import parse_json
from configsvc.documents.yaml import parse_yaml

FOLDER = Path(__file__).parent


def cases(folder: str, extension: str) -> list[Path]:
    """Return the documents of a folder, sorted; never none."""
    found = sorted((FOLDER / folder).glob(f"*.{extension}"))
    assert found, f"no cases in {folder}"
    return found


def beside(case: Path, suffix: str) -> Path:
    """Return the file that says what is expected of a case."""
    return case.with_name(case.name + suffix)


def parse(case: Path, *, bounds: Bounds = DEFAULT_BOUNDS) -> dict[str, object]:
    """Return the value of a case."""
    parser = parse_json if case.suffix == ".json" else parse_yaml
    return parser(case.read_bytes(), bounds=bounds)
