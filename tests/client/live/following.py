"""A config that is followed, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configsvc.client import Change, LiveConfig, LiveOptions
from tests.client.live.waiting import eventually


@dataclass(frozen=True)
class Settings:
    timeout_s: float
    name: str = "api"


def on_disk(folder: Path) -> LiveOptions:
    return LiveOptions(cache_dir=folder, first_delay_s=0.005, max_delay_s=0.02)


def followed(config: LiveConfig[Settings]) -> list[Change[Settings]]:
    """Return the list to which every change is added; there is a watch when this returns."""
    changes: list[Change[Settings]] = []
    config.on_change(changes.append)
    eventually(lambda: config.status.is_connected)
    return changes
