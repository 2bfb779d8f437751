"""What docs/client.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.serving import QUIET, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_code_on_the_page_runs_and_prints_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = CODE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 2
    with serving(tmp_path / "repo", *QUIET) as server:
        for block in blocks:
            exec(block.replace("http://localhost:5000", server.url), {"__name__": "page"})
    assert capsys.readouterr().out.splitlines() == [
        "{'timeout_s': 10} 0",
        "precondition-failed 1",
        "service: 'payments/missing' does not exist",
        "[1, 0]",
    ]
