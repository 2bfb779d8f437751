from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from werkzeug.routing import Rule

# A test holds to its own bounds on time, in seconds of the processor.  Those of Hypothesis count
# by the clock, and would fail where the machine has other work too.
settings.register_profile(
    "project",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

SLOW_ROOMS = frozenset(
    Path(__file__).parent / room for room in ("crash", "documents/hostile", "edge", "end_to_end", "gitdoor")
)
"""Where nearly every test has a server or a git of its own, or a text made to be slow."""

_ALL = {
    mark: re.compile(rf"^pytestmark = .*\bpytest\.mark\.{mark}\b", re.MULTILINE)
    for mark in ("slow", "thorough")
}

_builders: dict[tuple[str, bool], Any] = {}
_compile_builder = Rule._compile_builder


def _remembered_builder(rule: Rule, append_unknown: bool = True) -> Any:
    key = (rule.rule, append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


# Werkzeug compiles for each route what would make its URL: 25 ms of every test that has an
# application, and nothing here makes URLs.
Rule._compile_builder = _remembered_builder  # type: ignore[method-assign, assignment]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Have one worker more than processors: a third of the time of slow tests is waiting for others."""
    return (os.cpu_count() or 1) + ("not slow" not in config.option.markexpr)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave unread what has no test that is asked for: it would be half of the fast suite's start."""
    left_out = [mark for mark in _ALL if f"not {mark}" in config.option.markexpr]
    if collection_path.suffix == ".py" and left_out:
        text = collection_path.read_text(encoding="utf-8")
        return any(_ALL[mark].search(text) for mark in left_out) or None
    return ("slow" in left_out and collection_path in SLOW_ROOMS) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow rooms."""
    slow = {path for path in {item.path for item in items} if not SLOW_ROOMS.isdisjoint(path.parents)}
    for item in items:
        if item.path in slow:
            item.add_marker(pytest.mark.slow)
