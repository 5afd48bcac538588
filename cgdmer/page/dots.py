"""A chart of rows with one dot per series and its interval, on one common axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from cgdmer.page.elements import Drawing, Html, el, svg

ROW, NAMES, FOOT = 9.0, 118.0, 18.0
"""Height of one dot, the room for row names, and the room for tick labels below."""


@dataclass(frozen=True)
class Dot:
    """One value with its interval, in the colour of a style."""

    value: float
    low: float
    high: float
    style: int


def dots(
    label: str, rows: Sequence[tuple[str, Sequence[Dot]]], *, ticks: Sequence[tuple[float, str]], width: float = 640.0
) -> Drawing:
    """Draw the dots of each named row one below the other; the axis runs from the first of `ticks` to the last.

    A value beyond an end of the axis is drawn at that end.
    """
    low, high = ticks[0][0], ticks[-1][0]

    def across(value: float) -> float:
        return NAMES + (width - NAMES - 12) * (min(max(value, low), high) - low) / (high - low)

    marks: list[Html] = []
    y = 0.0
    for name, row in rows:
        height = ROW * max(len(row), 1)
        marks.append(el("text", name, x=NAMES - 9, y=f"{y + height / 2 + 7:.1f}", text_anchor="end"))
        for position, dot in enumerate(row):
            centre = f"{y + 4 + ROW * (position + 0.5):.1f}"
            ends = {"x1": f"{across(dot.low):.1f}", "x2": f"{across(dot.high):.1f}", "y1": centre, "y2": centre}
            marks.append(el("line", **ends, class_=f"series{dot.style}", stroke_width="1.2"))
            circle = f"{across(dot.value):.1f}"
            marks.append(el("circle", cx=circle, cy=centre, r=3.2, class_=f"dot series{dot.style}"))
        y += height + 8
    grid = [
        el("line", x1=f"{across(v):.1f}", x2=f"{across(v):.1f}", y1=0, y2=f"{y:.1f}", class_="axis") for v, _ in ticks
    ]
    names = [el("text", text, x=f"{across(v):.1f}", y=f"{y + 13:.1f}", text_anchor="middle") for v, text in ticks]
    return svg(label, width, y + FOOT, grid, names, marks)
