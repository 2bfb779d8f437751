from __future__ import annotations

import pytest

from bench.table import Goal, Table, goal_table, ms, number


def small_table() -> Table:
    table = Table("Writes", ("writer", "commits/s"), notes=("Noted.",))
    table.add("store", "1,500")
    table.add("git", "23.4")
    return table


def test_text_aligns_words_left_and_figures_right() -> None:
    assert small_table().text().splitlines() == [
        "Writes",
        "------",
        "writer  commits/s",
        "store       1,500",
        "git          23.4",
        "Noted.",
    ]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected: 2"):
        small_table().add("one")


def test_goals_are_reached_at_their_bound_or_below_it() -> None:
    goals = [
        Goal.least("a", 150, 150, "/s"),
        Goal.least("b", 149, 150, "/s"),
        Goal.below("c", 4.9, 5, "ms"),
        Goal.below("d", 5, 5, "ms"),
    ]
    assert [row[-1] for row in goal_table(goals).rows] == ["reached", "MISSED", "reached", "MISSED"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.456, "0.46"), (3.0, "3"), (30.25, "30.2"), (1234.5, "1,234"), (100_000, "100,000")]
)
def test_numbers_show_the_figures_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_milliseconds_keep_their_fraction_while_it_counts() -> None:
    assert [ms(value) for value in (0.5, 12.34, 123.4)] == ["0.50", "12.3", "123"]
