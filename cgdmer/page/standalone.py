"""Drawings with a title and a note, as a figure of a page or several in one self-contained SVG file."""

from collections.abc import Sequence
from dataclasses import dataclass

from cgdmer.page import series
from cgdmer.page.charts import KEY_WIDTH, key_mark
from cgdmer.page.elements import Drawing, Html, el, figure

GAP, TITLE, MARGIN = 28.0, 20.0, 20.0
COLUMNS = 3
STYLE = (
    "text{font:11px system-ui,'Segoe UI',Roboto,Arial,sans-serif;fill:#5c666d}.strong{fill:#1d2327;font-weight:600}"
    ".head{font-size:16px}.axis{stroke:#e2dfd9}" + series.image_rules() + "svg .line{fill:none;stroke-width:2;"
    "stroke-linejoin:round;stroke-linecap:round}"
    "svg .bar,svg .dot,svg .band{stroke:none}.band{opacity:.16}"
    ".whisker{stroke:#1d2327}.tick{stroke-width:2.5}"
)
"""The light colours of the page; the image has a background of its own, because the page's may be dark."""


@dataclass(frozen=True)
class Panel:
    """One drawing with its title and a note about how to read it."""

    title: str
    drawing: Drawing
    note: str

    def figure(self) -> Html:
        return figure(self.drawing, [el("strong", f"{self.title}. "), self.note])


def panels(title: str, items: Sequence[Panel], keys: Sequence[tuple[str, int]]) -> str:
    """Return an SVG file of all panels in rows of three, with a title and a legend."""
    wide = max((panel.drawing.width for panel in items), default=320.0)
    top = MARGIN + 62.0
    placed, y = [], top
    for begin in range(0, len(items), COLUMNS):
        row = items[begin : begin + COLUMNS]
        for column, panel in enumerate(row):
            placed.append(_panel(panel, MARGIN + column * (wide + GAP), y))
        y += TITLE + max(panel.drawing.height for panel in row) + GAP
    columns = min(COLUMNS, max(len(items), 1))
    width, height = 2 * MARGIN + columns * wide + (columns - 1) * GAP, y
    marks = [
        el("title", title),
        el("style", Html(STYLE)),
        el("rect", width="100%", height="100%", fill="#fbfaf8"),
        el("text", title, x=MARGIN, y=MARGIN + 10, class_="strong head"),
        _key(keys),
        placed,
    ]
    box = f"0 0 {width:g} {height:g}"
    return str(
        el("svg", marks, xmlns="http://www.w3.org/2000/svg", viewBox=box, width=f"{width:g}", height=f"{height:g}",
           role="img", aria_label=title)
    ) + "\n"  # fmt: skip


def _panel(panel: Panel, x: float, y: float) -> list[Html]:
    drawing = panel.drawing
    shift = f"translate({x:g} {y + TITLE - 8:g})"
    return [
        el("text", panel.title, x=f"{x:g}", y=f"{y:g}", class_="strong"),
        el("g", drawing.inside, transform=shift),
    ]


def _key(keys: Sequence[tuple[str, int]]) -> list[Html]:
    marks, x = [], MARGIN
    for name, style in keys:
        marks.append(el("g", key_mark(style), transform=f"translate({x:g} {MARGIN + 20:g})"))
        marks.append(el("text", name, x=f"{x + KEY_WIDTH + 5:g}", y=f"{MARGIN + 29:g}"))
        x += KEY_WIDTH + 24 + 6.2 * len(name)
    return marks
