from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.peers import is_there

ROOT = Path(__file__).resolve().parent.parent.parent

TABLES = {
    "Durable writes, the store alone": 8,
    "Durable writes without a pause for": 2,
    "Durable writes over HTTP": 6,
    "Reads of old versions": 4,
    "Start, from the process to the line that says it is ready": 3,
    "Resident memory": 3,
    "Watches, ": 2,
    "Live configs, ": 2,
}
"""Beginning of each title, and how many rows of figures follow."""
if all(map(is_there, ("wrk", "nginx", "etcd"))):
    TABLES["Hot reads, "] = 8
    TABLES["Reads by "] = 2


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_quick_run_prints_every_table_whole(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    blocks = [block.splitlines() for block in done.stdout.split("\n\n")[1:]]
    rows = {
        title: len([line for line in block[3:] if line[-1:].isdigit()])
        for block in blocks
        for title in TABLES
        if block[0].startswith(title)
    }
    assert rows == TABLES
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_results_are_not_rewritten_by_a_run_that_cannot_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--quick", "--write-results"])
    assert "--quick" in capsys.readouterr().err
