from __future__ import annotations

from bench.results import updated
from bench.table import Goal, Report, Table

ORDER = ["writes", "reads"]


def report(rate: str) -> Report:
    table = Table("Writes", ("writer", "commits/s"), notes=("Noted.",))
    table.add("store", rate)
    return Report([table], [Goal.least("store", 7, 5)])


def test_a_section_names_the_run_before_what_it_found() -> None:
    page = updated("", [("command", "`make bench`")], {"writes": report("1,500")}, ORDER, [])
    assert page.startswith("# Results\n")
    places = [page.index(text) for text in ("## writes", "`make bench`", "| reached |", "### Writes")]
    assert places == sorted(places)
    assert page.endswith("| writer | commits/s |\n| --- | --- |\n| store | 1,500 |\n\nNoted.\n")


def test_what_was_not_measured_again_stays_and_the_order_is_that_of_the_measurements() -> None:
    page = updated("", [("date", "then")], {"reads": report("1"), "old": report("2")}, [*ORDER, "old"], [])
    page = updated(page, [("date", "now")], {"writes": report("3")}, ORDER, ["plots/fan-out.svg"])
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## writes",
        "## reads",
        "## pictures",
    ]
    assert page.index("| date | now |") < page.index("| store | 3 |") < page.index("| date | then |")
    assert page.rstrip().endswith("![fan-out](plots/fan-out.svg)")
    assert "| store | 2 |" not in page


def test_a_measurement_that_is_made_again_is_there_once() -> None:
    page = updated("", [], {"writes": report("1"), "reads": report("1")}, ORDER, ["a.svg"])
    assert updated(page, [], {"writes": report("1")}, ORDER, ["a.svg"]) == page
    again = updated(page, [], {"writes": report("2")}, ORDER, [])
    assert again.count("## writes\n") == 1
    assert again.count("| store | 1 |") == again.count("| store | 2 |") == 1
