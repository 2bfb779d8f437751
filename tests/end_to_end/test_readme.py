"""The session that the README shows, typed again."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.recipes import blocks, run_shell
from tests.end_to_end.serving import ROOT, serving

SHOWN_URL = "http://localhost:5000"
# What differs from run to run: ids of commits and blobs, dates of headers.
VOLATILE = [
    (re.compile(r"^[0-9a-f]{7,40}\b", re.MULTILINE), "COMMIT"),
    (re.compile(r"^(Date): .*$", re.MULTILINE | re.IGNORECASE), r"\1"),
]
_STEP = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)

pytestmark = pytest.mark.slow


def steps() -> Iterator[tuple[str, str]]:
    """Yield each command of the README's sessions with the output shown below it."""
    session = "".join(blocks(ROOT / "README.md", "console").values())
    for step in _STEP.finditer(session):
        yield step["command"], step["output"]


def settled(output: str) -> str:
    """Return an output without what differs from run to run."""
    text = output.replace("\r", "")
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    return text.rstrip("\n")


def settled_output(command: str, folder: Path, *, expected: str) -> str:
    """Return a command's output; git's may need a moment, since working files follow the answer."""
    deadline = time.monotonic() + 10
    while True:
        output = settled(run_shell(command, cwd=folder).stdout)
        if output == expected or not command.startswith("git ") or time.monotonic() > deadline:
            return output
        time.sleep(0.02)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_session_in_the_readme_gives_what_the_readme_shows(tmp_path: Path) -> None:
    told = list(steps())
    assert len(told) >= 10
    repo = tmp_path / "config-repo"
    repo.mkdir()
    shutil.copy(ROOT / "config-repo" / "README.md", repo)
    with serving(repo) as server:
        for command, shown in told:
            assert SHOWN_URL in command or "config-repo" in command, command
            typed = command.replace(SHOWN_URL, server.url)
            assert settled_output(typed, tmp_path, expected=settled(shown)) == settled(shown), command
