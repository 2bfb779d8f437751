"""Curves over time as an SVG, one above the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, GAP = 860, 110, 70, 34


def curves(title: str, seconds: Sequence[float], values: Mapping[str, Sequence[float]]) -> str:
    """Return a picture of each series by its name, from 0 to its largest value."""
    height = 40 + len(values) * (HEIGHT + GAP)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'{opening} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for place, (name, series) in enumerate(values.items()):
        parts.append(_curve(name, seconds, series, 40 + place * (HEIGHT + GAP)))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _curve(name: str, seconds: Sequence[float], series: Sequence[float], top: float) -> str:
    most, last = max(*series, 1e-9), max(seconds[-1], 1e-9)
    bottom, right = top + HEIGHT, WIDTH - 20
    points = " ".join(
        f"{LEFT + (right - LEFT) * second / last:.1f},{bottom - (HEIGHT - 10) * value / most:.1f}"
        for second, value in zip(seconds, series, strict=True)
    )
    return (
        f'<text x="{LEFT}" y="{top - 4}">{escape(name)}</text>'
        f'<path d="M{LEFT} {top}V{bottom}H{right}" fill="none" stroke="#999"/>'
        f'<text x="{LEFT - 6}" y="{top + 14}" text-anchor="end">{most:g}</text>'
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{right}" y="{bottom + 14}" text-anchor="end">{last / 60:.0f} min</text>'
        f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>'
    )
