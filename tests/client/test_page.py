"""What docs/client.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.serving import QUIET, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.thorough
@pytest.mark.slow
def test_the_code_on_the_page_runs_and_prints_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    blocks = CODE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 6
    with serving(tmp_path / "repo", *QUIET) as server:
        names: dict[str, object] = {"__name__": "page"}
        for block in blocks:
            code = block.replace("http://localhost:5000", server.url)
            exec(compile(code, PAGE.name, "exec", dont_inherit=True), names)
    assert capsys.readouterr().out.splitlines() == [
        "{'timeout_s': 10} 0",
        "precondition-failed 1",
        "service: 'payments/missing' does not exist",
        "[1, 0]",
        "Settings(timeout_s=15.0, hosts=()) 15 1 server",
        "1 2 ('/timeout_s', '/hosts') 30.0",
        "Settings(timeout_s=30.0, hosts=('a', 'b'))",
        "30.0",
        "10.0",
    ]
