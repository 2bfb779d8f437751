"""Unified diffs of two texts, at a bounded cost.

`difflib` is quadratic for texts of distinct lines and cubic for hostile ones.  This is
Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986) with a budget of
steps; texts that differ by more are shown as one replaced by the other, between
the lines that they begin and end with alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

CONTEXT_LINES = 3
MAX_STEPS = 1_000_000
_MAX_EDITS = 1200
"""Lines added and removed that are looked for one by one; what is kept for each grows with their number."""

Line = tuple[str, str]
"""` `, `-` or `+`, and the line."""


def unified_diff(path: str, before: bytes | None, after: bytes | None, *, max_steps: int = MAX_STEPS) -> str:
    """Return the unified diff of two contents of the file at `path`; empty when they are equal.

    Args:
        before: UTF-8; None when there was no file.
        after: UTF-8; None when there is none any more.
        max_steps: Of looking for the lines that stay.
    """
    if before == after:
        return ""
    script = _script(_lines(before), _lines(after), max_steps)
    names = [
        "--- " + ("/dev/null" if before is None else f"a/{path}"),
        "+++ " + ("/dev/null" if after is None else f"b/{path}"),
    ]
    hunks = (line for hunk in _hunks(script) for line in _written(hunk))
    return "\n".join([*names, *hunks]) + "\n"


def _lines(data: bytes | None) -> list[str]:
    """Return the lines of a text; the last one says so when it has no end."""
    if not data:
        return []
    lines = data.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        return lines[:-1]
    return [*lines[:-1], lines[-1] + "\n\\ No newline at end of file"]


def _script(before: list[str], after: list[str], max_steps: int) -> list[Line]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    olds, news = before[head : len(before) - tail], after[head : len(after) - tail]
    kept = _kept(olds, news, max_steps)
    script = [(" ", line) for line in before[:head]]
    old = new = 0
    for next_old, next_new in [*kept, (len(olds), len(news))]:
        script += [("-", line) for line in olds[old:next_old]]
        script += [("+", line) for line in news[new:next_new]]
        if next_old < len(olds):
            script.append((" ", olds[next_old]))
        old, new = next_old + 1, next_new + 1
    script += [(" ", line) for line in before[len(before) - tail :]]
    return script


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines at the front are equal."""
    pairs = zip(one, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _kept(before: Sequence[str], after: Sequence[str], max_steps: int) -> list[tuple[int, int]]:
    """Return the indexes of the lines that stay, in order; none when that would take too long to find."""
    known: dict[str, int] = {}
    olds = [known.setdefault(line, len(known)) for line in before]
    news = [known.setdefault(line, len(known)) for line in after]
    trace = _trace(olds, news, max_steps)
    return [] if trace is None else _walked_back(trace, len(olds), len(news))


def _trace(olds: list[int], news: list[int], max_steps: int) -> list[list[int]] | None:
    """Return how far the best path on each diagonal gets, by number of edits; None beyond the budget.

    The list of `n` edits is of the diagonals from `-n` to `n`, every second one.
    """
    most = min(len(olds) + len(news), _MAX_EDITS)
    middle = most + 1
    reached = [0] * (2 * most + 3)
    trace: list[list[int]] = []
    steps = 0
    for edits in range(most + 1):
        for diagonal in range(-edits, edits + 1, 2):
            place = middle + diagonal
            if diagonal == -edits or (diagonal != edits and reached[place - 1] < reached[place + 1]):
                old = reached[place + 1]
            else:
                old = reached[place - 1] + 1
            start, new = old, old - diagonal
            while old < len(olds) and new < len(news) and olds[old] == news[new]:
                old, new = old + 1, new + 1
            steps += 1 + old - start
            reached[place] = old
            if old >= len(olds) and new >= len(news):
                return trace
        trace.append(reached[middle - edits : middle + edits + 1 : 2])
        if steps > max_steps:
            return None
    return None


def _walked_back(trace: list[list[int]], old: int, new: int) -> list[tuple[int, int]]:
    """Return the lines that stay, from the end backwards; `trace` has the lists before the last edit."""
    kept: list[tuple[int, int]] = []
    for edits in range(len(trace), -1, -1):
        diagonal = old - new
        start, is_added = _came_from(trace[edits - 1], diagonal, edits) if edits else (0, True)
        while old > start:
            old, new = old - 1, new - 1
            kept.append((old, new))
        if is_added:
            new -= 1
        else:
            old -= 1
    return kept[::-1]


def _came_from(reached: list[int], diagonal: int, edits: int) -> tuple[int, bool]:
    """Return how many old lines were behind after the last edit, and whether it added a line."""
    above = (diagonal + edits) // 2  # of `diagonal + 1` among the diagonals of one edit less
    if diagonal == -edits or (diagonal != edits and reached[above - 1] < reached[above]):
        return reached[above], True
    return reached[above - 1] + 1, False


def _hunks(script: list[Line]) -> Iterator[list[tuple[int, int, Line]]]:
    """Yield the stretches to show: changed lines with those around them, each with its two line numbers."""
    changed = [index for index, (kind, _) in enumerate(script) if kind != " "]
    shown: set[int] = set()
    for index in changed:
        shown.update(range(max(0, index - CONTEXT_LINES), min(len(script), index + CONTEXT_LINES + 1)))
    numbered = enumerate(_numbered(script))
    for is_shown, stretch in groupby(numbered, key=lambda each: each[0] in shown):
        if is_shown:
            yield [line for _, line in stretch]


def _numbered(script: Iterable[Line]) -> Iterator[tuple[int, int, Line]]:
    old = new = 1
    for line in script:
        yield old, new, line
        old += line[0] != "+"
        new += line[0] != "-"


def _written(hunk: list[tuple[int, int, Line]]) -> Iterator[str]:
    lines = [line for _, _, line in hunk]
    olds, news = (sum(kind != other for kind, _ in lines) for other in "+-")
    yield f"@@ -{_range(hunk[0][0], olds)} +{_range(hunk[0][1], news)} @@"
    yield from (kind + text for kind, text in lines)


def _range(start: int, count: int) -> str:
    if count == 1:
        return str(start)
    return f"{start if count else start - 1},{count}"
