"""The printed ECG: one SVG file in millimetres that prints true to scale and needs no style sheet."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from cgdmer.page.elements import Html, el
from cgdmer.page.paper import COLUMNS, GAIN, PULSE, SPEED, Strip, calibration_pulse, layout, pulse_baselines

ROW, MARGIN, CAPTION = 30.0, 5.0, 10.0
"""Millimetres: height of a row of traces, paper around the sheet, caption."""
BASELINE = 0.65
"""Position of a trace's baseline within its row."""
HEADROOM = 60.0
"""Traces are cut this far from their baseline, mm: 6 mV."""
STYLE = (
    ".fine{stroke:#f7ddd8;fill:none;stroke-width:.15}.bold{stroke:#eeb8af;fill:none;stroke-width:.25}"
    ".trace{stroke:#16202a;fill:none;stroke-width:.3;stroke-linejoin:round;stroke-linecap:round}"
    "text{font:600 3.4px system-ui,'Segoe UI',Roboto,'DejaVu Sans',Arial,sans-serif;fill:#16202a;stroke:#fff7f5;"
    "stroke-width:.8px;paint-order:stroke}.soft{font-weight:400;font-size:3px;fill:#5c666d}"
)


def standalone(caption: str, microvolt: np.ndarray, fs: float, leads: Sequence[str]) -> str:
    """Draw a record (12, T) microvolt: three rows of four leads in turn, then lead II throughout.

    Each trace is drawn about its median. It has a gap where samples are NaN; a lead of NaN is labelled as not recorded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a lead without a sample has no median
        microvolt = microvolt - np.nanmedian(microvolt, axis=1, keepdims=True)
    seconds = microvolt.shape[1] / fs
    samples = -(-microvolt.shape[1] // len(COLUMNS))
    strips = layout(microvolt, fs, leads, samples, left=MARGIN + PULSE, row=ROW, baseline=BASELINE)
    marks = [mark for strip in strips for mark in _strip(strip)]
    pulses = [calibration_pulse(MARGIN + 1, y) for y in pulse_baselines(ROW, BASELINE)]
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


def _strip(strip: Strip) -> list[Html]:
    """Return one trace with its lead's name above its start."""
    recorded = bool(np.isfinite(strip.microvolt).any())
    marks = [el("path", d=_path(strip), class_=strip.kind)] if recorded else []
    label = strip.name if recorded else f"{strip.name} not recorded"
    style = None if recorded else "soft"
    return [*marks, el("text", label, x=f"{strip.x + 1:g}", y=f"{strip.y - 0.5 * ROW:g}", class_=style)]


def _path(strip: Strip) -> str:
    """Return a path to a hundredth of a millimetre that starts anew after missing samples."""
    height = strip.microvolt / 1000 * GAIN
    across = strip.x + np.arange(len(strip.microvolt)) * (SPEED / strip.fs)
    down = strip.y - np.clip(height, -HEADROOM, HEADROOM)
    points, pen = [], "M"
    for x, y in zip(across.tolist(), down.tolist(), strict=True):
        if math.isnan(y):
            pen = "M"
            continue
        points.append(f"{pen}{x:.2f} {y:.2f}")
        pen = "L"
    return "".join(points)


def _grid(width: float, height: float, step: int, kind: str) -> Html:
    down = "".join(f"M{x} 0V{height:g}" for x in range(0, int(width) + 1, step))
    across = "".join(f"M0 {y}H{width:g}" for y in range(0, int(height) + 1, step))
    return el("path", d=down + across, class_=kind)
