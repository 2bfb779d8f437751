"""`make bench`: measure, print tables, and with `--write-results` keep them."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import hot, http, memory, mixed, propagation, reads, start, watch, writes
from bench.machine import facts
from bench.repositories import Repositories
from bench.results import updated
from bench.scale import FULL, QUICK, Bench
from bench.table import Report, goal_table
from configsvc.cli.serve import SWITCH_INTERVAL_S

RESULTS = Path(__file__).with_name("RESULTS.md")
PLOTS = Path(__file__).with_name("plots")
MEASUREMENTS: dict[str, Callable[[Bench], Report]] = {
    "writes": writes.measure,
    "http": http.measure,
    "reads": reads.measure,
    "hot": hot.measure,
    "mixed": mixed.measure,
    "start": start.measure,
    "memory": memory.measure,
    "watch": watch.measure,
    "propagation": propagation.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.quick and options.write_results:
        parser.error("--write-results: not with --quick, whose figures say little")
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as in the server
    with tempfile.TemporaryDirectory(prefix="configsvc-bench-", dir=options.folder) as folder:
        about = facts(Path(folder), _command(sys.argv[1:] if arguments is None else arguments))
        for name, value in about:
            print(f"{name}: {value}")
        bench = Bench(Repositories(Path(folder), say), QUICK if options.quick else FULL, say)
        reports = _measure(bench, options.only or list(MEASUREMENTS))
    goals = [goal for report in reports.values() for goal in report.goals]
    if goals:
        print("\n" + goal_table(goals).text())
    if options.write_results:
        pictures = [path.relative_to(RESULTS.parent).as_posix() for path in sorted(PLOTS.glob("*.svg"))]
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(updated(before, about, reports, MEASUREMENTS, pictures), encoding="utf-8")
    return 0


def _measure(bench: Bench, names: Sequence[str]) -> dict[str, Report]:
    reports = {}
    for name in names:
        reports[name] = MEASUREMENTS[name](bench)
        for table in reports[name].tables:
            print("\n" + table.text(), flush=True)
    return reports


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small and short: shows that it works, not how fast"
    )
    parser.add_argument(
        "--only", action="append", choices=list(MEASUREMENTS), help="measure this alone; repeatable"
    )
    parser.add_argument(
        "--write-results", action="store_true", help=f"rewrite what was measured in bench/{RESULTS.name}"
    )
    parser.add_argument(
        "--folder", type=Path, default=default_folder(), help="where repositories are made: %(default)s"
    )
    return parser


def default_folder() -> Path:
    """Return where repositories are made unless somebody says otherwise."""
    # /tmp is often in memory, where a sync costs nothing and the figures would flatter.
    return Path("/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir())


def _command(arguments: Sequence[str]) -> str:
    return f'make bench ARGS="{" ".join(arguments)}"' if arguments else "make bench"


def say(text: str) -> None:
    """Tell who waits what is being done."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
