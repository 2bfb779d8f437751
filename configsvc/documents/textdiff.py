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


def unified_diff(path: str, before: bytes | None, after: bytes | None) -> str:
    """Return the unified diff of two contents of the file at `path`; empty when they are equal.

    Args:
        before: UTF-8; None when there was no file.
        after: UTF-8; None when there is none any more.
    """
    if before == after:
        return ""
    script = _script(_lines(before), _lines(after))
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


def _script(before: list[str], after: list[str]) -> list[Line]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    olds, news = before[head : len(before) - tail], after[head : len(after) - tail]
    kept = _kept(olds, news)
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


def _kept(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Return the indexes of the lines that stay, in order; none when that would take too long to find."""
    known: dict[str, int] = {}
    olds = [known.setdefault(line, len(known)) for line in before]
    news = [known.setdefault(line, len(known)) for line in after]
    trace = _trace(olds, news)
    return [] if trace is None else _walked_back(trace, len(olds), len(news))


def _trace(olds: list[int], news: list[int]) -> list[dict[int, int]] | None:
    """Return how far the best path on each diagonal gets, by number of edits; None beyond the budget."""
    reached = {1: 0}
    trace: list[dict[int, int]] = []
    steps = 0
    for edits in range(min(len(olds) + len(news), _MAX_EDITS) + 1):
        trace.append({})
        for diagonal in range(-edits, edits + 1, 2):
            old = _start(reached, diagonal, edits)
            start, new = old, old - diagonal
            while old < len(olds) and new < len(news) and olds[old] == news[new]:
                old, new = old + 1, new + 1
            steps += 1 + old - start
            trace[-1][diagonal] = old
            if old >= len(olds) and new >= len(news):
                return trace
        if steps > MAX_STEPS:
            return None
        reached = trace[-1]
    return None


def _start(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """Return how many old lines are behind, when one more line was removed or added."""
    if _is_added(reached, diagonal, edits):
        return reached[diagonal + 1]
    return reached[diagonal - 1] + 1


def _is_added(reached: dict[int, int], diagonal: int, edits: int) -> bool:
    if diagonal in (-edits, edits):
        return diagonal == -edits
    return reached[diagonal - 1] < reached[diagonal + 1]


def _walked_back(trace: list[dict[int, int]], old: int, new: int) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        diagonal = old - new
        reached = trace[edits - 1] if edits else {1: 0}
        start = _start(reached, diagonal, edits)
        while old > start:
            old, new = old - 1, new - 1
            kept.append((old, new))
        if _is_added(reached, diagonal, edits):
            new -= 1
        else:
            old -= 1
    return kept[::-1]


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
