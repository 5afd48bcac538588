"""Charts that compare: bars from a reference value with intervals, and clouds of points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.page.elements import Drawing, el, shorten, svg

AUROC_TICKS: tuple[tuple[float, str], ...] = ((0.3, ""), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1"))
"""Ticks of an AUROC axis, whose reference is 0.5, the AUROC of guessing."""
STEP, NAMES, VALUES = 19.0, 126.0, 50.0
"""Height of a row, and the room for names on its left and values on its right."""


@dataclass(frozen=True)
class Bar:
    """One row: a value with its interval, and other values that are drawn as ticks in the styles 1, 2, ..."""

    name: str
    value: float
    low: float
    high: float
    others: tuple[float | None, ...] = ()
    dots: tuple[float, ...] = ()
    """Single values behind `value`, drawn as dots: the spread over seeds."""


def from_reference(
    label: str, rows: Sequence[Bar], *, reference: float = 0.5, ticks: Sequence[tuple[float, str]] = AUROC_TICKS,
    form: str = ".2f", width: float = 340.0,
) -> Drawing:  # fmt: skip
    """Draw one bar per row from `reference` to its value, a whisker over its interval, ticks for other values, dots.

    The axis runs from the first of `ticks` to the last; a tick without a name has no line.
    """
    ends = (ticks[0][0], ticks[-1][0])

    def across(value: float) -> float:
        share = (min(max(value, ends[0]), ends[1]) - ends[0]) / (ends[1] - ends[0])
        return NAMES + (width - NAMES - VALUES) * share

    bottom = STEP * len(rows)
    middle = across(reference)
    marks = [
        el("line", x1=f"{across(v):.1f}", x2=f"{across(v):.1f}", y1=0, y2=bottom, class_="axis")
        for v, name in ticks if name
    ]  # fmt: skip
    marks += [el("text", name, x=f"{across(v):.1f}", y=bottom + 13, text_anchor="middle") for v, name in ticks]
    for number, row in enumerate(rows):
        y, x = number * STEP, across(row.value)
        marks += [
            el("text", shorten(row.name, 18), x=NAMES - 7, y=y + 13.5, text_anchor="end"),
            el("rect", x=f"{min(middle, x):.1f}", y=y + 5, width=f"{max(abs(x - middle), 0.5):.1f}", height=STEP - 10,
               rx=1.5, class_="bar series0"),
            el("line", x1=f"{across(row.low):.1f}", x2=f"{across(row.high):.1f}", y1=y + STEP / 2, y2=y + STEP / 2,
               class_="whisker"),
            *[
                el("line", x1=f"{across(v):.1f}", x2=f"{across(v):.1f}", y1=y + 3, y2=y + STEP - 3,
                   class_=f"tick series{style}")
                for style, v in enumerate(row.others, 1) if v is not None
            ],
            *[el("circle", cx=f"{across(v):.1f}", cy=y + STEP / 2, r=2.5, class_="dot series3") for v in row.dots],
            el("text", format(row.value, form).replace("-", "−"), x=width, y=y + 13.5, text_anchor="end",
               class_="strong"),
        ]  # fmt: skip
    return svg(label, width, bottom + 18, marks)


def cloud(
    label: str, points: np.ndarray, marked: np.ndarray, *, width: float = 320.0, height: float = 230.0
) -> Drawing:
    """Draw points (n, 2) scaled to fill the frame; those of `marked` (n,) are in the accent colour and on top."""
    low, high = points.min(axis=0), points.max(axis=0)
    share = (points - low) / np.where(high > low, high - low, 1.0)
    positions = np.array([9.0, height - 9.0]) + share * np.array([width - 18.0, 18.0 - height])
    clouds = [
        el("path", d="".join(f"M{x:.1f} {y:.1f}h0" for x, y in positions[group]), class_=f"points series{style}")
        for style, group in ((1, ~marked), (0, marked))
    ]
    frame = el("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=6, class_="frame")
    return svg(label, width, height, frame, clouds)
