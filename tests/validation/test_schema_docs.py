"""What docs/schemas.md says is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from configsvc.core.names import Format
from configsvc.documents.document import parse_document
from configsvc.validation import references, schemas, workers
from configsvc.validation.compiled import check_schema
from configsvc.validation.formats import CHECKS
from configsvc.validation.judge import MAX_VIOLATIONS, judge_value
from configsvc.validation.schemas import find_schemas, lookup_paths, repository_source
from tests.validation.schema_files import schema

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "schemas.md").read_text(encoding="utf-8")
FILES = {
    path: text.encode()
    for path, text in re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
}
REFUSED = re.findall(r"^\| `(\{.+\})` \| `(.+)` \|$", PAGE, re.MULTILINE)
TREE = '{"properties": {"children": {"items": {"$ref": "#"}}}}'


def section(heading: str) -> str:
    """Return the text below a heading."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading, without the heads."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]
    return [
        row for row, after in zip(cells, [*cells[1:], [""]], strict=True) if "---" not in row[0] + after[0]
    ]


def test_the_first_example_answers_as_shown() -> None:
    (found,) = find_schemas("payments/api", repository_source(FILES.get))
    assert check_schema(found) == []
    value = parse_document(FILES["payments/api.yaml"], Format.YAML)
    shown = re.findall(r"^```text\n(.*?)^```$", section("A first schema"), re.MULTILINE | re.DOTALL)
    assert "".join(f"{violation}\n" for violation in judge_value(value, [found])) == shown[0]


def test_the_look_up_is_as_shown() -> None:
    table = [row for row in rows("Which schemas govern a service") if row[0].endswith(".json")]
    assert tuple(row[0] for row in table) == lookup_paths("payments/api")


@pytest.mark.parametrize(("text", "answer"), REFUSED)
def test_a_schema_shown_as_refused_is_refused_in_these_words(text: str, answer: str) -> None:
    assert any(answer in violation.message for violation in check_schema(schema(json.loads(text))))


def test_there_are_examples_of_refused_schemas() -> None:
    assert len(REFUSED) == 11


def test_a_schema_shown_as_fine_is_fine() -> None:
    assert TREE in PAGE
    assert check_schema(schema(json.loads(TREE))) == []


def test_the_formats_are_those_that_are_checked_each_with_an_example() -> None:
    table = dict(row for row in rows("Formats, patterns and numbers") if len(row) == 2)
    assert set(table) == set(CHECKS)
    assert all(CHECKS[name](example) for name, example in table.items())


def test_the_limits_are_those_of_the_code() -> None:
    bounds = schemas.SCHEMA_BOUNDS
    assert [limit for _, limit in rows("Limits")] == [
        f"{bounds.max_bytes} bytes, depth {bounds.max_depth}, {bounds.max_nodes} nodes",
        f"{schemas.MAX_FILES} files, {schemas.MAX_SCHEMA_BYTES} bytes",
        f"{references.MAX_EXPANDED}, and {references.MAX_CHAIN} inside one another",
        f"{workers.TIME_LIMIT_S:g} s and {workers.MEMORY_LIMIT_BYTES >> 20} MiB in a worker process",
        str(MAX_VIOLATIONS),
    ]
