"""Curves side by side as one SVG picture, readable on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 250, 180
"""Of one curve's own ground, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 34, 46
TICKS = 4

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.curve { stroke: #0969da; stroke-width: 2; fill: none; stroke-linejoin: round }
.point { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #d1d7e0 }
  .grid { stroke: #3d444d }
  .curve { stroke: #4493f8 }
  .point { fill: #4493f8 }
}
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """`title` names what is measured, with its unit; `points` are (x, y), none of them below 0."""

    title: str
    points: Sequence[tuple[float, float]]


def render_curves(curves: Sequence[Curve], x_title: str, about: str) -> str:
    """The picture; `about` says in words what it shows, for those who do not see it."""
    panel = LEFT + WIDTH + RIGHT
    width, height = panel * len(curves), TOP + HEIGHT + BOTTOM
    body = "\n".join(
        f'<g transform="translate({panel * number + LEFT} {TOP})">\n{_panel(curve, x_title)}\n</g>'
        for number, curve in enumerate(curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}"'
        f' role="img">\n<title>{escape(about)}</title>\n<style>{_STYLE}</style>\n{body}\n</svg>\n'
    )


def _panel(curve: Curve, x_title: str) -> str:
    x_ticks, y_ticks = (ticks(max(point[axis] for point in curve.points)) for axis in (0, 1))
    at = [(WIDTH * x / x_ticks[-1], HEIGHT * (1 - y / y_ticks[-1])) for x, y in curve.points]
    return "\n".join(
        (
            f'<text class="title" x="0" y="-14">{escape(curve.title)}</text>',
            *_y_axis(y_ticks),
            *_x_axis(x_ticks, x_title),
            f'<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>',
            *(f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in at),
        )
    )


def _y_axis(values: Sequence[float]) -> Iterator[str]:
    for value in values:
        y = HEIGHT * (1 - value / values[-1])
        yield f'<line class="grid" x1="0" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}"/>'
        yield f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>'


def _x_axis(values: Sequence[float], title: str) -> Iterator[str]:
    for value in values:
        yield (
            f'<text x="{WIDTH * value / values[-1]:.1f}" y="{HEIGHT + 18}"'
            f' text-anchor="middle">{value:,g}</text>'
        )
    yield f'<text x="{WIDTH / 2}" y="{HEIGHT + 38}" text-anchor="middle">{escape(title)}</text>'


def ticks(largest: float) -> tuple[float, ...]:
    """Round numbers from 0 to `largest` or just above, about TICKS steps."""
    rough = max(largest, 1.0) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return tuple(step * number for number in range(math.ceil(max(largest, 1.0) / step) + 1))
