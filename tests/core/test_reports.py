from __future__ import annotations

from configsvc.core.reports import Violation


def test_a_violation_reads_as_file_line_column_pointer_message() -> None:
    violation = Violation("a.json", "duplicate key 'x'", "/a/x", 3, 5)
    assert str(violation) == "a.json:3:5: /a/x: duplicate key 'x'"


def test_a_violation_leaves_out_what_it_does_not_know() -> None:
    assert str(Violation("", "top level: a list")) == "top level: a list"
    assert Violation("", "top level: a list").as_json() == {"pointer": "", "message": "top level: a list"}


def test_a_violation_as_json_has_all_that_it_knows() -> None:
    assert Violation("a.json", "m", "/x", 1, 2).as_json() == {
        "path": "a.json",
        "pointer": "/x",
        "line": 1,
        "column": 2,
        "message": "m",
    }
