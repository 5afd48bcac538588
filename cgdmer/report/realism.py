"""How close simulated recordings are to real ones, as `python -m benchmarks.realism` measured it, and its section."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cgdmer.json_dataclass import Json
from cgdmer.page import Html, number, section
from cgdmer.report import table
from cgdmer.report.headline import ENCODER_NAMES
from cgdmer.report.real import SET_NAMES
from cgdmer.report.table import Content, Table, stacked

LEAD = (
    "Simulated recordings of each population of the simulator beside real ones. The AUROC is that of a logistic "
    "regression, in five folds, that tells simulated from real: 0.5 would mean that it cannot, 1 that it always can. "
    "Distances are Kolmogorov-Smirnov's: 0 is equal, 1 is disjoint. They are means over the hand-crafted features of a "
    "kind: measurements, rhythm, heights and areas of waves, and powers in bands. The last column names the features "
    "with the largest coefficients."
)
KINDS = ("Measurements", "Rhythm", "Waves", "Spectrum")
"""Kinds of hand-crafted features, by which the groups of a distance are averaged."""


@dataclass(frozen=True)
class Likeness(Json):
    """Records of one population beside one set of real recordings."""

    population: str
    source: str
    simulated: int
    real: int
    auroc: dict[str, float]
    """AUROC of telling simulated from real, by the encoder whose features are read."""
    distance: dict[str, float]
    """By group of hand-crafted features: intervals, rhythm, amplitudes, spectrum."""
    given_away_by: list[str]
    """The hand-crafted features with the largest coefficients."""


@dataclass(frozen=True)
class Intervals(Json):
    """Intervals and axes of one kind of records beside the machine measurements of MIMIC-IV-ECG."""

    name: str
    """For example `clinical, measured`."""
    distance: dict[str, float]
    by_chance: dict[str, float]
    """Distance that samples of these sizes from one distribution exceed once in twenty times."""
    unlike: float
    """Mean absolute difference of the rank correlations between pairs of measurements."""


@dataclass(frozen=True)
class Realism(Json):
    """Content of `reports/realism.json`."""

    date: str
    machine: str
    commit: str
    likenesses: list[Likeness] = field(default_factory=list)
    rows: int = 0
    """Rows of machine measurements."""
    intervals: list[Intervals] = field(default_factory=list)


def likeness_table(realism: Realism) -> Table:
    """Return a row per real set and population, a column per classifier and kind of feature."""
    encoders = list(dict.fromkeys(encoder for one in realism.likenesses for encoder in one.auroc))
    rows: list[list[Content]] = [
        [
            stacked(SET_NAMES.get(one.source, one.source), one.population),
            *(_shown(one.auroc.get(encoder), 3) for encoder in encoders),
            *(_shown(value, 2) for value in _kinds(one)), ", ".join(one.given_away_by[:3]),
        ]
        for one in realism.likenesses
    ]  # fmt: skip
    head = [
        "Real set, population", *(f"AUROC, {ENCODER_NAMES.get(e, e)}" for e in encoders),
        *KINDS, "Given away by",
    ]  # fmt: skip
    sizes = "; ".join(dict.fromkeys(
        f"{SET_NAMES.get(one.source, one.source)} {number(one.real)} records" for one in realism.likenesses
    ))  # fmt: skip
    about = (
        f"{number(max(one.simulated for one in realism.likenesses))} simulated records of each population; {sizes}. "
    )
    return Table(about + _made(realism), head, rows, text=(0, len(head) - 1))


def _kinds(one: Likeness) -> list[float | None]:
    """Return the mean distance of each kind of `KINDS`; None for a kind without a group."""
    return [_mean([value for group, value in one.distance.items() if _kind(group) == kind]) for kind in KINDS]


def _kind(group: str) -> str:
    if group.capitalize() in KINDS:
        return group.capitalize()
    return "Spectrum" if group.endswith("Hz") or group == "variance" else "Waves"


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def interval_table(realism: Realism) -> Table:
    """Return the distances of intervals and axes: a row per measurement, a column per kind of records."""
    columns = realism.intervals
    names = list(dict.fromkeys(name for one in columns for name in one.distance))
    rows: list[list[Content]] = [[name, *(_shown(one.distance.get(name), 2) for one in columns)] for name in names]
    rows.append(["Rank correlations, mean difference", *(_shown(one.unlike, 2) for one in columns)])
    chances = sorted(value for one in columns for value in one.by_chance.values())
    chance = f"{chances[0]:.2f} to {chances[-1]:.2f}"
    about = (
        f"Distance from {number(realism.rows)} rows of MIMIC-IV-ECG's machine measurements; two samples of one "
        f"distribution exceed {chance}, by their size, once in twenty times. 'Drawn' is what the simulator meant, "
        "'measured' is what cgdmer measure finds in the signal. The columns of real recordings show how far apart two "
        "populations of patients, measured in two ways, can be."
    )
    return Table(about, ["", *(_named(one.name) for one in columns)], rows)


def tables(realism: Realism | None) -> Sequence[Table]:
    """Return the tables of what was compared; none without a result."""
    if realism is None:
        return []
    likeness = [likeness_table(realism)] if realism.likenesses else []
    return [*likeness, *([interval_table(realism)] if realism.intervals else [])]


def realism_section(realism: Realism | None) -> Html | None:
    """Draw the tables; None without a result."""
    drawn = [table.html(one) for one in tables(realism)]
    return section("realism", "Simulated and real recordings", *drawn, lead=LEAD) if drawn else None


def _shown(value: float | None, digits: int) -> Content:
    return None if value is None else f"{value:.{digits}f}"


def _named(name: str) -> str:
    """Return the name of a column, with the name of a real set as everywhere."""
    first, _, rest = name.partition(", ")
    return f"{SET_NAMES.get(first, first)}, {rest}"


def _made(realism: Realism) -> str:
    return f"{realism.machine}, {realism.date}, commit {realism.commit[:9]}."
