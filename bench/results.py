"""The page of results: a section for each measurement, from the run that made it last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.table import Report, Table, goal_table

_HEAD = """# Results

Written by the commands below; another machine gives other figures. What counts are the ratios
within one run: rivals take turns with us on the same disk, and the median of the rounds is shown.
Clients and server share the cores.
"""
_SECTION = re.compile(r"^## ([a-z]+)$", re.MULTILINE)
_PICTURES = "pictures"


def updated(
    page: str,
    facts: Sequence[tuple[str, str]],
    reports: Mapping[str, Report],
    order: Iterable[str],
    pictures: Iterable[str],
) -> str:
    """Return the page with the sections of a run in place of those of the same names.

    Args:
        page: As it was; sections of measurements that there are no longer are left out.
        facts: Name and value of what was run where and when.
        order: Names of all measurements.
        pictures: Paths, from where the page is.
    """
    parts = _SECTION.split(page)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    sections |= {name: _section(facts, report) for name, report in reports.items()}
    sections[_PICTURES] = "\n\n".join(f"![{Path(each).stem}]({each})" for each in pictures)
    kept = [f"## {name}\n\n{sections[name].strip()}\n" for name in (*order, _PICTURES) if sections.get(name)]
    return "\n".join([_HEAD, *kept])


def _section(facts: Sequence[tuple[str, str]], report: Report) -> str:
    about = Table("", ("run", ""), rows=list(facts))
    goals = [goal_table(report.goals)] if report.goals else []
    tables = [f"### {table.title}\n\n{table.markdown()}" for table in (*goals, *report.tables)]
    return "\n\n".join([about.markdown(), *tables])
