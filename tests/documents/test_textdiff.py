from __future__ import annotations

import difflib
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.documents.textdiff import unified_diff

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "  d", "+e", "-f", "\\ g", "é"]), max_size=14)


def applied(before: bytes, diff: str, folder: Path) -> bytes:
    """Return what `git apply` makes of `before`."""
    (folder / "x.json").write_bytes(before)
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff.encode(), check=True)
    return (folder / "x.json").read_bytes()


def by_difflib(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), "a/x.json", "b/x.json"
    )
    return "".join(lines)


def changed_lines(diff: str) -> int:
    return sum(line[:1] in ("+", "-") for line in diff.splitlines()[2:])


def test_a_change_is_shown_with_the_lines_around_it() -> None:
    before = "".join(f"{n}\n" for n in range(20))
    after = before.replace("7\n", "seven\n", 1).replace("9\n", "", 1)
    assert unified_diff("x.json", before.encode(), after.encode()) == by_difflib(before, after)


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        (b"a\n", b"a\n", ""),
        (None, b"a\n", "--- /dev/null\n+++ b/x.json\n@@ -0,0 +1 @@\n+a\n"),
        (b"a\nb\n", None, "--- a/x.json\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n"),
        (
            b"a",
            b"a\n",
            "--- a/x.json\n+++ b/x.json\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n",
        ),
    ],
)
def test_files_that_come_go_or_end_without_a_line_end_are_shown_as_git_does(
    before: bytes | None, after: bytes | None, diff: str
) -> None:
    assert unified_diff("x.json", before, after) == diff


@pytest.mark.slow
@given(LINES, LINES)
@settings(max_examples=300, deadline=None)
def test_a_diff_is_never_longer_than_needed(before: list[str], after: list[str]) -> None:
    olds, news = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
    found = unified_diff("x.json", olds.encode(), news.encode())
    assert changed_lines(found) <= changed_lines(by_difflib(olds, news))


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "\n"])
@given(before=LINES, after=LINES)
@settings(max_examples=20, deadline=None)
def test_git_can_apply_a_diff(
    tmp_path_factory: pytest.TempPathFactory, end: str, before: list[str], after: list[str]
) -> None:
    olds, news = (("\n".join(lines) + end).encode() for lines in (before, after))
    diff = unified_diff("x.json", olds, news)
    if diff:
        assert applied(olds, diff, tmp_path_factory.mktemp("apply")) == news


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([str(n) for n in range(100_000)], [str(n) if n % 2 else "x" for n in range(100_000)]),
        ([str(n % 100) for n in range(100_000)], [str(n % 101) for n in range(100_000)]),
        (["a", "b"] * 100_000, ["a", "c", "b"] * 70_000),
        (["x"] * 200_000, ["x"] * 100_000 + ["y"] + ["x"] * 90_000),
    ],
    ids=["every other", "shifted", "few words", "one word"],
)
def test_no_two_texts_take_long_to_compare(tmp_path: Path, before: list[str], after: list[str]) -> None:
    olds, news = (("\n".join(lines) + "\n").encode() for lines in (before, after))
    began = time.process_time()
    diff = unified_diff("x.json", olds, news)
    assert time.process_time() - began < 3
    assert applied(olds, diff, tmp_path) == news
