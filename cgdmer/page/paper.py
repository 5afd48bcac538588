"""Owns ECG paper: traces in millimetres, 25 mm a second and 10 mm a millivolt, on a grid of 1 and 5 mm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.page.elements import Html, el, svg

SPEED, GAIN = 25.0, 10.0
"""Millimetres a second, millimetres a millivolt: what every reader of ECGs expects."""
STEPS_PER_MM = 10
"""Traces are drawn to a tenth of a millimetre, 10 microvolt."""
PULSE = 7.0
"""Width of the margin that holds the calibration pulse, mm."""
COLUMNS = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11))
"""Leads by place in the canonical order, column by column of the usual sheet; below them lead II as rhythm strip."""
RHYTHM = 1


@dataclass(frozen=True)
class Strip:
    """One trace: microvolt (T,) at `fs`, its baseline starting at (x, y) mm; `kind` is its class in the style sheet."""

    microvolt: np.ndarray
    fs: float
    x: float
    y: float
    name: str = ""
    kind: str = "trace"


def sheet(
    label: str, anchor: str, strips: Sequence[Strip], *, width: float, height: float,
    tints: Sequence[tuple[float, float, float, float]] = (), pulses: Sequence[float] = (),
) -> Html:  # fmt: skip
    """Draw strips on a sheet of `width` by `height` mm; `tints` are boxes (x, y, width, height) below the traces.

    `pulses` are baselines of calibration pulses in the left margin; `anchor` is unique in its page.
    """
    marks = _grid(anchor, width, height)
    marks += [el("rect", x=x, y=y, width=w, height=h, class_="hidden") for x, y, w, h in tints]
    marks += [el("path", d=f"M1 {y:g}h1v-10h4v10h1", class_="trace") for y in pulses]
    marks += [el("path", **_trace(strip)) for strip in strips]
    marks += [el("text", s.name, x=f"{s.x + 1:g}", y=f"{s.y - 7:g}") for s in strips if s.name]
    return svg(label, width, height, *marks, class_="ecg")


def standard(
    label: str, anchor: str, microvolt: np.ndarray, fs: float, leads: Sequence[str], *, row: float = 23.0
) -> Html:
    """Draw the usual sheet of a record (12, T) microvolt: three rows of four leads in turn, and lead II throughout."""
    seconds = microvolt.shape[1] / fs
    share, each = SPEED * seconds / len(COLUMNS), microvolt.shape[1] // len(COLUMNS)
    strips = []
    for column, numbers in enumerate(COLUMNS):
        for place, lead in enumerate(numbers):
            part = microvolt[lead, column * each : (column + 1) * each]
            strips.append(Strip(part, fs, PULSE + column * share, (place + 0.62) * row, leads[lead]))
    base = 3.62 * row
    strips.append(Strip(microvolt[RHYTHM], fs, PULSE, base, leads[RHYTHM]))
    pulses = [(place + 0.62) * row for place in range(3)] + [base]
    return sheet(label, anchor, strips, width=PULSE + SPEED * seconds + 2, height=4 * row, pulses=pulses)


def _grid(anchor: str, width: float, height: float) -> list[Html]:
    """Return the ruled background as two patterns, so that a large sheet costs no more than a small one."""
    patterns = [
        el("pattern", el("path", d=f"M{size} 0H0V{size}", class_=kind), id=f"{anchor}-{kind}", width=size, height=size,
           patternUnits="userSpaceOnUse")
        for kind, size in (("fine", 1), ("bold", 5))
    ]  # fmt: skip
    fills = [
        el("rect", width=f"{width:g}", height=f"{height:g}", fill=f"url(#{anchor}-{kind})") for kind in ("fine", "bold")
    ]
    return [el("defs", patterns), *fills]


def _trace(strip: Strip) -> dict[str, str]:
    """Return a path in whole steps from point to point; scaled to mm, so that it stays short in the file."""
    height = np.rint(strip.microvolt.astype(np.float64) / 1000 * GAIN * STEPS_PER_MM).astype(int)
    steps = "".join(f"1 {-step} " for step in np.diff(height))
    scale = f"translate({strip.x:g} {strip.y:g}) scale({SPEED / strip.fs:g} {1 / STEPS_PER_MM:g})"
    start = -int(height[0]) if len(height) else 0
    return {"d": f"M0 {start}l{steps.strip()}".replace(" -", "-"), "transform": scale, "class_": strip.kind}
