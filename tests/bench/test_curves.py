"""Pictures of a benchmark are made from what was measured."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.curves.chart import Chart, Curve

pytestmark = pytest.mark.slow  # matplotlib takes a while to import


def draw(chart: Chart, folder: Path) -> Path:
    from bench.curves.draw import draw

    return draw(chart, folder)


def chart() -> Chart:
    curves = [Curve("ours", [(1, 10.0), (64, 500.0)]), Curve("theirs", [(1, 5.0), (64, 20.0)])]
    return Chart("reads", "Reads by connections", "connections", "reads/s", curves, {1: "one", 64: "many"})


@pytest.mark.thorough
def test_a_picture_has_every_line_by_its_name(tmp_path: Path) -> None:
    path = draw(chart(), tmp_path)
    assert path == tmp_path / "reads.svg"
    root = ET.fromstring(path.read_text())
    texts = ["".join(each.itertext()).strip() for each in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("ours", "theirs", "Reads by connections", "connections", "reads/s", "one", "many"):
        assert text in texts


@pytest.mark.thorough
def test_the_same_figures_make_the_same_picture(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, second = draw(chart(), tmp_path), draw(chart(), tmp_path / "again")
    assert first.read_bytes() == second.read_bytes()
