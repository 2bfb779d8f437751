"""The sessions that the README and the page on the API show, typed again."""

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
# What differs from run to run: ids of commits, dates of headers, times.
VOLATILE = [
    (re.compile(r"^[0-9a-f]{7,40}\b", re.MULTILINE), "COMMIT"),
    (re.compile(r'(?<="commit_id": ")[0-9a-f]{40}'), "COMMIT"),
    (re.compile(r"^(Date): .*$", re.MULTILINE | re.IGNORECASE), r"\1"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
]
# A command goes on behind a backslash, and in quotes.
_COMMAND = r"\$ (?P<command>(?:[^'\n\\]|\\.|\\\n|'[^']*')*)\n"
_STEP = re.compile(_COMMAND + r"(?P<output>(?:(?!\$ ).*\n)*)")

pytestmark = pytest.mark.slow


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """Yield each command of a page's sessions with the output shown below it."""
    session = "".join(blocks(page, "console").values())
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
@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_a_session_on_a_page_gives_what_the_page_shows(tmp_path: Path, page: str) -> None:
    told = list(steps(ROOT / page))
    assert len(told) >= 10
    assert len(told) == (ROOT / page).read_text(encoding="utf-8").count("\n$ ")
    repo = tmp_path / "config-repo"
    repo.mkdir()
    shutil.copy(ROOT / "config-repo" / "README.md", repo)
    with serving(repo) as server:
        for command, shown in told:
            assert SHOWN_URL in command or "config-repo" in command, command
            typed = command.replace(SHOWN_URL, server.url)
            assert settled_output(typed, tmp_path, expected=settled(shown)) == settled(shown), command
