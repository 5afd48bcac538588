"""The sections of the benchmark page with signals: the gallery, reconstructions, and projections of features."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cgdmer.page import Html, el, figure, section
from cgdmer.page.charts import key
from cgdmer.page.comparisons import cloud
from cgdmer.page.paper import PULSE, SPEED, Strip, sheet, standard
from cgdmer.report.headline import TASK_NAMES

SHOWN_SECONDS = 5.0
"""Seconds of a reconstruction that are drawn, in two columns of six leads."""
ROW = 17.0
"""Height of a lead in a reconstruction, mm."""


@dataclass(frozen=True)
class Tracing:
    """A record to draw: signal (12, T) in microvolt, title and text beside it."""

    title: str
    microvolt: np.ndarray
    fs: float
    text: str = ""


@dataclass(frozen=True)
class Filled:
    """A masked record: original and filled-in signal (12, T) in microvolt, and which patches were hidden (12, N)."""

    title: str
    original: np.ndarray
    filled: np.ndarray
    hidden: np.ndarray
    patch: int
    fs: float
    kind: str


@dataclass(frozen=True)
class Projection:
    """Test records of a task in two dimensions per representation, and which of them have a class."""

    task: str
    name: str
    """The class."""
    points: dict[str, np.ndarray]
    """(n, 2) by representation."""
    explained: dict[str, float]
    """Share of the variance in those two dimensions."""
    marked: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """All signals and projections of the page; any of them may be empty."""

    simulated: Sequence[Tracing] = ()
    real: Sequence[Tracing] = ()
    filled: Sequence[Filled] = ()
    projections: Sequence[Projection] = ()
    leads: Sequence[str] = ()


def gallery(pictures: Pictures) -> Html:
    """Draw each simulated finding beside a real record."""
    lead = (
        "Left: findings from the simulator. Right: real records with a similar finding if the corpora have one. All "
        "passed the same filter; 25 mm/s, 10 mm/mV."
        if pictures.real
        else "Findings from the simulator, 25 mm/s, 10 mm/mV. Every corpus of this run is simulated, so there is no "
        "real record to compare with: point CGDMER_RAW_ROOT at local copies to see them side by side."
    )
    pairs = []
    for number, simulated in enumerate(pictures.simulated):
        pairs.append(_tracing("Simulated", simulated, pictures.leads, f"sim{number}"))
        if number < len(pictures.real):
            pairs.append(_tracing("Real", pictures.real[number], pictures.leads, f"real{number}"))
    return section("gallery", "Simulated and real ECGs", el("div", pairs, class_="grid wide"), lead=lead)


def _tracing(origin: str, tracing: Tracing, leads: Sequence[str], anchor: str) -> Html:
    label = f"{origin} 12-lead ECG: {tracing.title}"
    picture = el("div", standard(label, anchor, tracing.microvolt, tracing.fs, leads), **scroll(label))
    quoted = el("span", f" “{tracing.text}”") if tracing.text else None
    return figure(picture, [el("strong", f"{origin}: {tracing.title}."), quoted])


def scroll(label: str, kind: str = "sheet") -> dict[str, str | int]:
    """Return the attributes of a box in which a sheet scrolls on a narrow screen, reachable by keyboard."""
    return {"class_": kind, "role": "region", "tabindex": 0, "aria_label": label}


def reconstructions(pictures: Pictures) -> Html:
    """Draw the visible and hidden patches and what the model filled in."""
    if not pictures.filled:
        lead = "The model of this run was trained without masked reconstruction, so there is nothing to show."
        return section("reconstruction", "Filling in what was hidden", lead=lead)
    figures = [_filled(item, pictures.leads, f"filled{n}") for n, item in enumerate(pictures.filled)]
    lead = (
        "Test records, masked as in training. The model reads only the patches that are not tinted and fills in the "
        "others (coloured line); the grey line is the original. The model predicts the shape of a patch; its level and "
        "scale are taken from the record, as in the loss."
    )
    return section("reconstruction", "Filling in what was hidden", figures, lead=lead)


def _filled(item: Filled, leads: Sequence[str], anchor: str) -> Html:
    samples = min(round(SHOWN_SECONDS * item.fs), item.original.shape[1]) // item.patch * item.patch
    seconds = samples / item.fs
    strips, tints, pulses = [], [], []
    for number, name in enumerate(leads):
        x = PULSE + (number // 6) * (SPEED * seconds + 3)
        y = (number % 6 + 0.62) * ROW
        strips.append(Strip(item.original[number, :samples], item.fs, x, y, name, "shade"))
        for begin, end, hidden in runs(item.hidden[number, : samples // item.patch]):
            cut = slice(begin * item.patch, end * item.patch)
            at = x + SPEED * cut.start / item.fs
            if hidden:
                tints.append(
                    (
                        round(at, 2),
                        round(y - 0.55 * ROW, 2),
                        round((end - begin) * SPEED * item.patch / item.fs, 2),
                        ROW - 1,
                    )
                )
            source = item.filled if hidden else item.original
            strips.append(Strip(source[number, cut], item.fs, at, y, kind="guess" if hidden else "trace"))
        if number < 6:
            pulses.append(y)
    share = float(item.hidden[:, : samples // item.patch].mean())
    correlation = agreement(item, samples)
    label = (
        f"{item.title}: {share:.0%} of the patches hidden ({item.kind}); in the hidden parts the filled-in line "
        f"correlates {signed(correlation)} with the original"
    )
    width = PULSE + 2 * SPEED * seconds + 5
    picture = sheet(label, anchor, strips, width=width, height=6 * ROW, tints=tints, pulses=pulses)
    return figure(
        el("div", picture, **scroll(label, "sheet large")), [el("strong", f"Mask: {item.kind}. "), f"{label}."]
    )


def signed(value: float) -> str:
    """Write a correlation with a real minus sign."""
    return f"{value:.2f}".replace("-", "−")


def agreement(item: Filled, samples: int) -> float:
    """Return the correlation of filled-in and true samples within hidden patches, each patch about its own mean."""
    shape = (item.hidden.shape[0], -1, item.patch)
    true, guess = (
        x[:, :samples].reshape(shape)[item.hidden[:, : samples // item.patch]] for x in (item.original, item.filled)
    )
    true, guess = (
        patches - patches.mean(axis=1, keepdims=True) for patches in (true.astype(np.float64), guess.astype(np.float64))
    )
    scale = float(np.sqrt((true**2).sum() * (guess**2).sum()))
    return float((true * guess).sum()) / scale if scale else 0.0


def runs(flags: np.ndarray) -> list[tuple[int, int, bool]]:
    """Return (begin, end, flag) of each stretch of equal flags."""
    cuts = [0, *(np.flatnonzero(np.diff(flags.astype(np.int8))) + 1).tolist(), len(flags)]
    return [(a, b, bool(flags[a])) for a, b in pairwise(cuts) if b > a]


def projections(pictures: Pictures) -> Html:
    """Draw the first two principal axes of each representation, one class in colour."""
    blocks = [_projection(item) for item in pictures.projections]
    lead = (
        "The same test records by their shared and by their specific features, along the first two principal axes. One "
        "class is in colour: features that hold the class separate it from the other records."
    )
    return section(
        "projections",
        "Shared against specific",
        *(blocks or [el("p", "No encoder of this run has both shared and specific features.")]),
        lead=lead,
    )


def _projection(item: Projection) -> Html:
    figures = []
    for kind, points in item.points.items():
        gap = separation(points, item.marked)
        label = (
            f"{kind.capitalize()} features of {len(points)} test records; {int(item.marked.sum())} with {item.name} "
            f"lie {gap:.1f} standard deviations from the others; two axes hold {item.explained[kind]:.0%} of the "
            "variance"
        )
        figures.append(figure(cloud(label, points, item.marked), f"{label}."))
    title = f"{TASK_NAMES[item.task]}: {item.name}"
    keys = key([(f"with {item.name}", 0), ("without", 1)])
    return Html(el("h3", title) + keys + el("div", figures, class_="grid wide"))


def separation(points: np.ndarray, marked: np.ndarray) -> float:
    """Return the distance between the two groups' means in units of their pooled standard deviation."""
    if not 0 < marked.sum() < len(marked):
        return 0.0
    gap = points[marked].mean(axis=0) - points[~marked].mean(axis=0)
    inner = np.concatenate([points[m] - points[m].mean(axis=0) for m in (marked, ~marked)])
    return float(np.linalg.norm(gap) / (np.sqrt((inner**2).sum(axis=1).mean() / 2) or 1.0))
