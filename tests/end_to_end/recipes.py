"""Commands in the docs, as tests run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.end_to_end.serving import ROOT

_PIECE = re.compile(r"^#+ (?P<heading>.+?)$|^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, kind: str) -> dict[str, str]:
    """Return the fenced blocks of one kind by the heading they stand under, joined where it has several."""
    found: dict[str, str] = {}
    heading = ""
    for piece in _PIECE.finditer(page.read_text(encoding="utf-8")):
        if piece["heading"] is not None:
            heading = piece["heading"]
        elif piece["kind"] == kind:
            found[heading] = found.get(heading, "") + piece["text"]
    return found


def run_shell(
    script: str, *, cwd: Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `script` in bash, where the first error ends it; `configsvc` is the code under test."""
    command = f'configsvc() {{ {shlex.quote(sys.executable)} -m configsvc.cli "$@"; }}\n'
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command + script],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
