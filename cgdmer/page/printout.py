"""The printed ECG: one SVG file in millimetres that prints true to scale and needs no style sheet."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cgdmer.page.elements import Html, el
from cgdmer.page.paper import COLUMNS, GAIN, PULSE, RHYTHM, SPEED, Strip, calibration_pulse, layout, pulse_baselines

ROW, MARGIN, CAPTION = 30.0, 5.0, 10.0
"""Millimetres: height of a row of traces, paper around the sheet, caption."""
BASELINE = 0.65
"""Position of a trace's baseline within its row."""
SHORT = 2.5
"""Seconds of the longest record that fits into one column of the usual sheet; all four columns show all of it."""
HEADROOM = 60.0
"""Traces are cut this far from their baseline, mm: 6 mV; the caption then says so."""
STYLE = (
    ".fine{stroke:#f7ddd8;fill:none;stroke-width:.15}.bold{stroke:#eeb8af;fill:none;stroke-width:.25}"
    ".trace{stroke:#16202a;fill:none;stroke-width:.3;stroke-linejoin:round;stroke-linecap:round}"
    "text{font:600 3.4px system-ui,'Segoe UI',Roboto,'DejaVu Sans',Arial,sans-serif;fill:#16202a;stroke:#fff7f5;"
    "stroke-width:.8px;paint-order:stroke}.soft{font-weight:400;font-size:3px;fill:#5c666d}"
)


def standalone(caption: str, microvolt: np.ndarray, fs: float, leads: Sequence[str]) -> str:
    """Draw a record (12, T) microvolt: three rows of four leads, then lead II, or else the first recorded, throughout.

    The four columns show successive quarters of the record; of a short one, each shows all of it. Each trace is drawn
    about its median. It has a gap where samples are NaN; a lead of NaN is labelled as not recorded. The sheet grows by
    whole large squares above and below, so that tall waves stay on the paper.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a lead without a sample has no median
        microvolt = microvolt - np.nanmedian(microvolt, axis=1, keepdims=True)
    shown = np.tile(microvolt, len(COLUMNS)) if microvolt.shape[1] <= SHORT * fs else microvolt
    strips = _strips(microvolt, shown, fs, leads)
    marks = [mark for strip in strips for mark in _strip(strip)]
    pulses = [calibration_pulse(MARGIN + 1, y) for y in pulse_baselines(ROW, BASELINE)]
    # Whole large squares, so that the grid ends on a line.
    width = 5 * np.ceil((2 * MARGIN + PULSE + SPEED * shown.shape[1] / fs) / 5)
    top = -5 * np.ceil(max(0.0, 1 - min(_edge(strip, np.max) for strip in strips)) / 5)
    bottom = 5 * np.ceil((max(4 * ROW, *(1 + _edge(strip, np.min) for strip in strips)) + CAPTION) / 5)
    height = bottom - top
    grid = [_grid(width, top, bottom, 1, "fine"), _grid(width, top, bottom, 5, "bold")]
    if any(np.nanmax(np.abs(strip.microvolt), initial=0.0) > HEADROOM / GAIN * 1000 for strip in strips):
        caption += f" · waves above {HEADROOM / GAIN:g} mV are cut"
    note = el("text", caption, x=f"{MARGIN + 1:g}", y=f"{bottom - 3:g}", class_="soft")
    return str(
        el(
            "svg", el("title", caption), el("style", Html(STYLE)),
            el("rect", y=f"{top:g}", width=f"{width:g}", height=f"{height:g}", fill="#fff7f5"),
            grid, pulses, marks, note,
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 {top:g} {width:g} {height:g}", width=f"{width:g}mm",
            height=f"{height:g}mm", role="img", aria_label=caption,
        )
    ) + "\n"  # fmt: skip


def _strips(microvolt: np.ndarray, shown: np.ndarray, fs: float, leads: Sequence[str]) -> list[Strip]:
    """Return the traces: those of the columns are cut from `shown`, the one below them is of all of `microvolt`."""
    samples = -(-shown.shape[1] // len(COLUMNS))
    *columns, below = layout(shown, fs, leads, samples, left=MARGIN + PULSE, row=ROW, baseline=BASELINE)
    recorded = np.isfinite(microvolt).any(axis=1)
    lead = RHYTHM if recorded[RHYTHM] else int(recorded.argmax())
    return [*columns, replace(below, microvolt=microvolt[lead], name=leads[lead])]


def _edge(strip: Strip, extreme: Callable[[np.ndarray], float]) -> float:
    """Return the y of a trace's highest or lowest point in mm; its baseline if nothing was recorded."""
    recorded = strip.microvolt[np.isfinite(strip.microvolt)]
    return strip.y - float(np.clip(extreme(recorded) / 1000 * GAIN, -HEADROOM, HEADROOM)) if recorded.size else strip.y


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


def _grid(width: float, top: float, bottom: float, step: int, kind: str) -> Html:
    down = "".join(f"M{x} {top:g}V{bottom:g}" for x in range(0, int(width) + 1, step))
    across = "".join(f"M0 {y}H{width:g}" for y in range(int(top), int(bottom) + 1, step))
    return el("path", d=down + across, class_=kind)
