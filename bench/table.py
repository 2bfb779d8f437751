"""What a run found, as aligned text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    """One table of figures; cells are text already."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def add(self, *cells: str) -> None:
        """Add a row of as many cells as there are columns."""
        if len(cells) != len(self.columns):
            raise ValueError(f"row: {len(cells)} cells (expected: {len(self.columns)})")
        self.rows.append(cells)

    def text(self) -> str:
        """Return the table for a terminal."""
        columns = list(zip(self.columns, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        figures = [all(cell[:1].isdigit() for cell in column[1:]) for column in columns]
        lines = [self.title, "-" * len(self.title)]
        lines += [
            "  ".join(map(_aligned, cells, widths, figures)).rstrip() for cells in (self.columns, *self.rows)
        ]
        return "\n".join([*lines, *self.notes])

    def markdown(self) -> str:
        """Return the table for a page, without its title."""
        lines = [_markdown_row(self.columns), _markdown_row(["---"] * len(self.columns))]
        lines += map(_markdown_row, self.rows)
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that was promised, and what was measured."""

    what: str
    bound: str
    measured: str
    reached: bool

    @classmethod
    def least(cls, what: str, measured: float, bound: float, unit: str = "/s") -> Goal:
        """Return a goal that is reached from `bound` upwards."""
        return cls(what, f">= {number(bound)} {unit}", f"{number(measured)} {unit}", measured >= bound)

    @classmethod
    def below(cls, what: str, measured: float, bound: float, unit: str) -> Goal:
        """Return a goal that is reached below `bound`."""
        return cls(what, f"< {number(bound)} {unit}", f"{number(measured)} {unit}", measured < bound)


@dataclass(slots=True)
class Report:
    """What one measurement found."""

    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


def goal_table(goals: Iterable[Goal]) -> Table:
    """Return what was promised beside what was measured."""
    table = Table("Promised and measured", ("what", "promised", "measured", ""))
    for goal in goals:
        table.add(goal.what, goal.bound, goal.measured, "reached" if goal.reached else "MISSED")
    return table


def number(value: float) -> str:
    """Return a number with three figures or more that count."""
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ms(value: float) -> str:
    """Return milliseconds."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(value: float, other: float) -> str:
    """Return how many times `other` a value is."""
    return number(value / other)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _aligned(cell: str, width: int, is_figure: bool) -> str:
    return cell.rjust(width) if is_figure else cell.ljust(width)
