"""The threat model names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!threat|---)", line)]
NAMED = re.compile(r"\| `(tests/[a-z_0-9/]+\.py)::(test_[a-z_0-9]+)` \|$")


@pytest.mark.parametrize("row", ROWS)
def test_each_line_of_the_threat_model_names_a_test_that_exists(row: str) -> None:
    named = NAMED.search(row)
    assert named is not None, row
    tree = ast.parse((ROOT / named[1]).read_text(encoding="utf-8"))
    assert named[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_threat_model_is_read() -> None:
    assert len(ROWS) > 20
