"""Charts as SVG, by matplotlib (`pip install 'configsvc[bench]'`)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import NullLocator, ScalarFormatter

from bench.curves.chart import Chart

mpl.use("svg")
# Ids inside the file do not change from run to run, and text stays text.
mpl.rcParams.update({"svg.hashsalt": "configsvc", "svg.fonttype": "none", "font.size": 10})
_MARKERS = "osD^vP"


def draw(chart: Chart, folder: Path) -> Path:
    """Write a chart into a folder and return the file."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for curve, marker in zip(chart.curves, _MARKERS, strict=False):
        xs, ys = zip(*curve.points, strict=True)
        axes.plot(xs, ys, marker=marker, markersize=4, label=curve.title)
    axes.set(xscale="log", yscale="log", title=chart.title, xlabel=chart.x, ylabel=chart.y)
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = chart.ticks or {x: f"{x:,.0f}" for x, _ in chart.curves[0].points}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False)
    path = folder / f"{chart.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path
