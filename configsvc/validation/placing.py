"""Lines and columns of violations in the text of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from configsvc.core.reports import Violation

Places = Callable[[str], tuple[int, int] | None]
"""Line and column, both from 1, of a JSON pointer in the source text; None when it has none."""


def placed(violations: Iterable[Violation], places: Places | None) -> list[Violation]:
    """Return violations with the line and column of each pointer."""
    if places is None:
        return list(violations)
    return [_placed(violation, places) for violation in violations]


def _placed(violation: Violation, places: Places) -> Violation:
    place = None if violation.path else places(violation.pointer)
    return violation if place is None else replace(violation, line=place[0], column=place[1])
