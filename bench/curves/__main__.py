"""Measure, and draw into `bench/plots`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import wrk
from bench.__main__ import PLOTS, default_folder, say
from bench.curves.draw import draw
from bench.curves.measure import fan_out_chart, read_charts
from bench.repositories import Repositories


def main() -> int:
    """Draw every chart and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.curves", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default: %(default)s)")
    parser.add_argument("--into", type=Path, default=PLOTS, help="folder of the pictures")
    options = parser.parse_args()
    if not wrk.is_installed():
        parser.error("wrk is not installed (expected: the package wrk)")
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="configsvc-bench-", dir=default_folder()) as folder:
        repositories = Repositories(Path(folder), say)
        charts = read_charts(repositories, options.seconds, options.rounds)
        charts.append(fan_out_chart(repositories, 3 * options.seconds))
    for chart in charts:
        print(draw(chart, options.into))
    return 0


if __name__ == "__main__":
    sys.exit(main())
