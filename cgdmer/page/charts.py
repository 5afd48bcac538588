"""Small charts: bars and lines as SVG that takes its colours from the style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cgdmer.page.elements import Drawing, Html, el, number, shorten, svg

KEY_WIDTH = 16.0


@dataclass(frozen=True)
class Series:
    """One line of a chart; `low` and `high` draw a band around it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    style: int = 0


def bars(label: str, rows: Sequence[tuple[str, float]], *, digits: int = 0, width: float = 320) -> Drawing:
    """Draw one horizontal bar per row; the longest fills the width, and each value is written at the end of its bar."""
    step, name_width, top = 20.0, 118.0, max((abs(value) for _, value in rows), default=1.0) or 1.0
    marks = []
    for row, (name, value) in enumerate(rows):
        y = row * step
        length = (width - name_width - 56) * abs(value) / top
        marks += [
            el("text", shorten(name, 19), x=name_width - 8, y=y + 14, text_anchor="end"),
            el(
                "rect",
                x=name_width,
                y=y + 4,
                width=f"{max(length, 1):.1f}",
                height=step - 8,
                rx=2,
                class_="bar series0",
            ),
            el("text", number(value, digits), x=f"{name_width + length + 6:.1f}", y=y + 14),
        ]
    return svg(label, width, max(step * len(rows), step), marks)


def key(names: Sequence[tuple[str, int]]) -> Html:
    """Return the legend: which colour and line is which series."""
    swatch = [el("svg", key_mark(style), viewBox=f"0 0 {KEY_WIDTH:g} 10", aria_hidden="true") for _, style in names]
    return el("ul", [el("li", mark, name) for mark, (name, _) in zip(swatch, names, strict=True)], class_="key")


def key_mark(style: int) -> Html:
    return el("line", x1=1, x2=KEY_WIDTH - 1, y1=5, y2=5, class_=f"line series{style}")


@dataclass(frozen=True)
class Axes:
    """Maps data to a drawing of `width` by `height` with room for tick labels."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    left: float = 34.0
    bottom: float = 22.0
    top: float = 8.0
    right: float = 10.0

    def across(self, value: float) -> float:
        low, high = self.x
        return self.left + (self.width - self.left - self.right) * (value - low) / ((high - low) or 1.0)

    def down(self, value: float) -> float:
        low, high = self.y
        return (
            self.height - self.bottom - (self.height - self.top - self.bottom) * (value - low) / ((high - low) or 1.0)
        )

    def points(self, x: Sequence[float], y: Sequence[float]) -> str:
        return " ".join(f"{self.across(a):.1f},{self.down(b):.1f}" for a, b in zip(x, y, strict=True))


def lines(
    label: str, series: Sequence[Series], *, x_ticks: Sequence[tuple[float, str]], y: tuple[float, float] | None = None,
    width: float = 320, height: float = 190, dots: bool = True,
) -> Drawing:  # fmt: skip
    """Draw lines with bands on shared axes; the first series lies on top; the range `y` widens to round numbers."""
    levels = _levels(*(y or _range(series)))
    axes = Axes(width, height, (x_ticks[0][0], x_ticks[-1][0]), (levels[0], levels[-1]))
    marks = [*_grid(axes, x_ticks, levels)]
    for item in reversed(series):
        marks += _band(axes, item)
        path = "M" + axes.points(item.x, item.y)
        marks.append(el("path", d=path, class_=f"line series{item.style}"))
        if dots:
            spots = zip(item.x, item.y, strict=True)
            marks += [_dot(axes, a, b, item.style) for a, b in spots]
    return svg(label, width, height, marks)


def _range(series: Sequence[Series]) -> tuple[float, float]:
    values = [value for item in series for line in (item.y, item.low or (), item.high or ()) for value in line]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _levels(low: float, high: float) -> list[float]:
    """Return three to six round numbers, evenly spaced, that enclose a range."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 3))
    step = power * next(size for size in (1, 2, 5, 10) if span / (power * size) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(multiple * step, 10) for multiple in range(first, max(last, first + 1) + 1)]


def _grid(axes: Axes, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[float]) -> list[Html]:
    digits = max(0, -math.floor(math.log10(y_ticks[1] - y_ticks[0]) + 1e-9))
    marks = []
    for value in y_ticks:
        y, below = f"{axes.down(value):.1f}", f"{axes.down(value) + 4:.1f}"
        marks.append(el("line", x1=axes.left, x2=axes.width - axes.right, y1=y, y2=y, class_="axis"))
        marks.append(el("text", f"{value:.{digits}f}", x=axes.left - 6, y=below, text_anchor="end"))
    for position, (value, name) in enumerate(x_ticks):
        anchor = "end" if position == len(x_ticks) - 1 and position else "middle"
        shift = axes.right if anchor == "end" else 0.0
        x = f"{axes.across(value) + shift:.1f}"
        marks.append(el("text", name, x=x, y=axes.height - 5, text_anchor=anchor))
    return marks


def _band(axes: Axes, item: Series) -> list[Html]:
    if not item.low or not item.high:
        return []
    outline = axes.points([*item.x, *reversed(item.x)], [*item.high, *reversed(item.low)])
    return [el("path", d=f"M{outline}Z", class_=f"band series{item.style}")]


def _dot(axes: Axes, x: float, y: float, style: int) -> Html:
    return el("circle", cx=f"{axes.across(x):.1f}", cy=f"{axes.down(y):.1f}", r=2.8, class_=f"dot series{style}")
