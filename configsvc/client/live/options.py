"""How the live configs of a client follow the server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def default_cache_dir() -> Path | None:
    """Return where copies are kept for this user; None where the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Path(base, "configsvc")
    try:
        return Path.home() / ".cache" / "configsvc"
    except RuntimeError:
        return None


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What may be set about live configs; the defaults are meant to do.

    Args:
        cache_dir: Folder of the last good copies; None keeps none.
        first_wait_s: Longest wait for one answer when a config is made, in seconds, > 0.
        silence_s: A watch that says nothing for so long is given up, in seconds; the server says
            something every 15 s.
        first_delay_s: Longest pause after the first failure, in seconds; doubles each time.
        max_delay_s: Longest pause of all, in seconds.
        recheck_s: About how often all configs are asked for even though nothing was told, in seconds.
        report_rejections: Tell the server of versions that do not fit, for its log of clients: where and why,
            never a value.
        application: Who says so in that log; empty for nobody in particular.
    """

    cache_dir: Path | None = field(default_factory=default_cache_dir)
    first_wait_s: float = 5.0
    silence_s: float = 45.0
    first_delay_s: float = 0.1
    max_delay_s: float = 10.0
    recheck_s: float = 600.0
    report_rejections: bool = True
    application: str = ""
