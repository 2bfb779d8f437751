"""The docs say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from configsvc.settings import RULES, Settings

ROOT = Path(__file__).resolve().parent.parent
SETTING_ROW = re.compile(r"^\| `([a-z_]+)` \| (`[^`]*`|none) \| (.+) \|$", re.MULTILINE)


def shown_default(name: str) -> str:
    """Return how the docs write a setting's default."""
    default = getattr(Settings(), name)
    if default == () or default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_every_setting_is_documented_with_its_default_and_its_help() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = SETTING_ROW.findall(page)
    assert documented == [(name, shown_default(name), rule.help) for name, rule in RULES.items()]
