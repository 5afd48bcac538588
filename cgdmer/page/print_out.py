"""Owns the printed ECG: one SVG file in millimetres, true to scale on paper, that needs no style sheet beside it."""

import warnings
from collections.abc import Sequence

import numpy as np

from cgdmer.page.elements import Html, el
from cgdmer.page.paper import COLUMNS, GAIN, PULSE, RHYTHM, SPEED

ROW, MARGIN, CAPTION = 30.0, 5.0, 10.0
"""Millimetres: height of a row of traces, paper around the sheet, caption."""
BASELINE = 0.65
"""Where in its row a trace lies."""
HEADROOM = 60.0
"""Traces are cut so far from their baseline, mm: 6 mV."""
STYLE = (
    ".fine{stroke:#f7ddd8;fill:none;stroke-width:.15}.bold{stroke:#eeb8af;fill:none;stroke-width:.25}"
    ".trace{stroke:#16202a;fill:none;stroke-width:.3;stroke-linejoin:round;stroke-linecap:round}"
    "text{font:600 3.4px system-ui,'Segoe UI',Roboto,'DejaVu Sans',Arial,sans-serif;fill:#16202a;stroke:#fff7f5;"
    "stroke-width:.8px;paint-order:stroke}.soft{font-weight:400;font-size:3px;fill:#5c666d}"
)


def standalone(caption: str, microvolt: np.ndarray, fs: float, leads: Sequence[str]) -> str:
    """Draw a record (12, T) microvolt: three rows of four leads in turn, and lead II throughout.

    Each trace is drawn about its median; a gap where samples are NaN, and a word where a lead has none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a lead without a sample has no median
        microvolt = microvolt - np.nanmedian(microvolt, axis=1, keepdims=True)
    seconds = microvolt.shape[1] / fs
    share, each = SPEED * seconds / len(COLUMNS), -(-microvolt.shape[1] // len(COLUMNS))
    marks: list[Html] = []
    for column, numbers in enumerate(COLUMNS):
        for place, lead in enumerate(numbers):
            part = microvolt[lead, column * each : (column + 1) * each]
            marks += _strip(part, fs, MARGIN + PULSE + column * share, (place + BASELINE) * ROW, leads[lead])
    marks += _strip(microvolt[RHYTHM], fs, MARGIN + PULSE, (3 + BASELINE) * ROW, leads[RHYTHM])
    pulses = [
        el("path", d=f"M{MARGIN + 1:g} {(row + BASELINE) * ROW:g}h1v-10h4v10h1", class_="trace") for row in range(4)
    ]
    # Whole large squares, so that the grid ends on a line.
    width = 5 * np.ceil((2 * MARGIN + PULSE + SPEED * seconds) / 5)
    height = 5 * np.ceil((4 * ROW + CAPTION) / 5)
    grid = [_grid(width, height, 1, "fine"), _grid(width, height, 5, "bold")]
    note = el("text", caption, x=f"{MARGIN + 1:g}", y=f"{height - 3:g}", class_="soft")
    return str(
        el(
            "svg", el("title", caption), el("style", Html(STYLE)),
            el("rect", width=f"{width:g}", height=f"{height:g}", fill="#fff7f5"),
            grid, pulses, marks, note,
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}", width=f"{width:g}mm",
            height=f"{height:g}mm", role="img", aria_label=caption,
        )
    ) + "\n"  # fmt: skip


def _strip(microvolt: np.ndarray, fs: float, x: float, y: float, name: str) -> list[Html]:
    """Return one trace with its lead's name above its start."""
    recorded = bool(np.isfinite(microvolt).any())
    marks = [el("path", d=_path(microvolt, fs, x, y), class_="trace")] if recorded else []
    label = name if recorded else f"{name} not recorded"
    return [*marks, el("text", label, x=f"{x + 1:g}", y=f"{y - 0.5 * ROW:g}", class_=None if recorded else "soft")]


def _path(microvolt: np.ndarray, fs: float, x: float, y: float) -> str:
    """Return a path to a hundredth of a millimetre that starts anew after missing samples."""
    height = microvolt / 1000 * GAIN
    across = x + np.arange(len(microvolt)) * (SPEED / fs)
    down = y - np.clip(height, -HEADROOM, HEADROOM)
    parts, pen = [], "M"
    for place, drop in zip(across.tolist(), down.tolist(), strict=True):
        if drop != drop:
            pen = "M"
            continue
        parts.append(f"{pen}{place:.2f} {drop:.2f}")
        pen = "L"
    return "".join(parts)


def _grid(width: float, height: float, step: int, kind: str) -> Html:
    down = "".join(f"M{x} 0V{height:g}" for x in range(0, int(width) + 1, step))
    across = "".join(f"M0 {y}H{width:g}" for y in range(0, int(height) + 1, step))
    return el("path", d=down + across, class_=kind)
