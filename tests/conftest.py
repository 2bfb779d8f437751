from __future__ import annotations

import os
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
    """Leave slow rooms unread where no test of theirs is asked for: it is half of the fast suite's start."""
    return True if "not slow" in config.option.markexpr and collection_path in SLOW_ROOMS else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow rooms."""
    for item in items:
        if not SLOW_ROOMS.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.slow)
