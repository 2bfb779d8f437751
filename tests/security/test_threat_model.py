"""The threat model names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!threat|---)", line)]
NAMED = re.compile(r"\| `(tests/[a-z_0-9/]+\.py)::(test_[a-z_0-9]+)` \|$")


def test_each_line_of_the_threat_model_names_a_test_that_exists() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if not names_a_test(row)] == []


def names_a_test(row: str) -> bool:
    named = NAMED.search(row)
    if named is None or not (ROOT / named[1]).is_file():
        return False
    return (
        re.search(rf"^def {named[2]}\(", (ROOT / named[1]).read_text(encoding="utf-8"), re.MULTILINE)
        is not None
    )
