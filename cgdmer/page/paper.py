"""ECG paper: traces in millimetres, 25 mm per second and 10 mm per millivolt, on a grid of 1 and 5 mm.

The layout of the usual sheet and its calibration pulse are also used by the printout (`printout.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.page.elements import Html, el, svg

SPEED, GAIN = 25.0, 10.0
"""Millimetres per second, millimetres per millivolt: what every reader of ECGs expects."""
STEPS_PER_MM = 10
"""Traces are drawn to a tenth of a millimetre, 10 microvolt."""
PULSE = 7.0
"""Width of the margin that holds the calibration pulse, mm."""
COLUMNS = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11))
"""Lead numbers in the canonical order, column by column of the usual sheet; lead II is the rhythm strip below."""
RHYTHM, RHYTHM_ROW = 1, 3
"""Lead number of the rhythm strip, and the row that it fills."""
BASELINE = 0.62
"""Position of a trace's baseline within its row on the benchmark page."""


@dataclass(frozen=True)
class Strip:
    """One trace: microvolt (T,) at `fs` Hz, its baseline starting at (x, y) mm; `kind` is its style."""

    microvolt: np.ndarray
    fs: float
    x: float
    y: float
    name: str = ""
    kind: str = "trace"


def layout(
    microvolt: np.ndarray, fs: float, leads: Sequence[str], samples: int, *, left: float, row: float, baseline: float
) -> Iterator[Strip]:
    """Yield the strips of the usual sheet of a record (12, T): three rows of four leads in turn, then all of lead II.

    Each of the four columns shows `samples` samples; `left` is the x of the first column, `row` the height of a row,
    `baseline` the position of a trace within its row.
    """
    width = SPEED * (microvolt.shape[1] / fs) / len(COLUMNS)
    for column, numbers in enumerate(COLUMNS):
        for place, lead in enumerate(numbers):
            section = microvolt[lead, column * samples : (column + 1) * samples]
            yield Strip(section, fs, left + column * width, (place + baseline) * row, leads[lead])
    yield Strip(microvolt[RHYTHM], fs, left, (RHYTHM_ROW + baseline) * row, leads[RHYTHM])


def pulse_baselines(row: float, baseline: float) -> list[float]:
    """Return the y of the calibration pulse of each row of the usual sheet."""
    return [(place + baseline) * row for place in range(RHYTHM_ROW + 1)]


def calibration_pulse(x: float, y: float) -> Html:
    """Return a pulse of 1 mV and 0.16 s that starts at (x, y) mm."""
    return el("path", d=f"M{x:g} {y:g}h1v-10h4v10h1", class_="trace")


def sheet(
    label: str, anchor: str, strips: Sequence[Strip], *, width: float, height: float,
    tints: Sequence[tuple[float, float, float, float]] = (), pulses: Sequence[float] = (),
) -> Html:  # fmt: skip
    """Draw strips on a sheet of `width` by `height` mm; `tints` are boxes (x, y, width, height) below the traces.

    `pulses` are baselines of calibration pulses in the left margin; `anchor` is unique in its page.
    """
    marks = _grid(anchor, width, height)
    marks += [el("rect", x=x, y=y, width=w, height=h, class_="hidden") for x, y, w, h in tints]
    marks += [calibration_pulse(1, y) for y in pulses]
    marks += [el("path", **_trace(strip)) for strip in strips]
    marks += [el("text", s.name, x=f"{s.x + 1:g}", y=f"{s.y - 7:g}") for s in strips if s.name]
    return svg(label, width, height, *marks, class_="ecg")


def standard(
    label: str, anchor: str, microvolt: np.ndarray, fs: float, leads: Sequence[str], *, row: float = 23.0
) -> Html:
    """Draw the usual sheet of a record (12, T) microvolt: three rows of four leads in turn, then lead II throughout."""
    samples = microvolt.shape[1] // len(COLUMNS)
    strips = list(layout(microvolt, fs, leads, samples, left=PULSE, row=row, baseline=BASELINE))
    width = PULSE + SPEED * (microvolt.shape[1] / fs) + 2
    return sheet(label, anchor, strips, width=width, height=4 * row, pulses=pulse_baselines(row, BASELINE))


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
