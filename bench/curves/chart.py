"""What a picture shows, before it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: pairs of x and y, in the order of x."""

    title: str
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the same axes, both logarithmic.

    Args:
        name: Of its file, without an end.
        ticks: Values of x and what is written there; empty: chosen by who draws.
    """

    name: str
    title: str
    x: str
    y: str
    curves: list[Curve]
    ticks: dict[float, str] = field(default_factory=dict)
