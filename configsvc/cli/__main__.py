"""`python -m configsvc.cli` is the command `configsvc`."""

from __future__ import annotations

from configsvc.cli.entry import main

main()
