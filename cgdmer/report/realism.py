"""How close simulated recordings are to real ones, as `python -m benchmarks.realism` measured it, and its section."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cgdmer.json_dataclass import Json
from cgdmer.page import Html, number, section
from cgdmer.report import table
from cgdmer.report.headline import ENCODER_NAMES
from cgdmer.report.real import SET_NAMES
from cgdmer.report.table import Content, Table

LEAD = (
    "Simulated recordings of both populations of the simulator beside real ones. The AUROC is that of a logistic "
    "regression, in five folds, that tells simulated from real: 0.5 would mean that it cannot, 1 that it always can. "
    "Distances are Kolmogorov-Smirnov's, the mean over the features of a group: 0 is equal, 1 is disjoint."
)


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
    """Return a row per classifier and group of features, a column per real set and population."""
    columns = realism.likenesses
    encoders = list(dict.fromkeys(encoder for one in columns for encoder in one.auroc))
    groups = list(dict.fromkeys(group for one in columns for group in one.distance))
    rows: list[list[Content]] = [
        [f"AUROC, {ENCODER_NAMES.get(e, e)}", *(_shown(one.auroc.get(e), 3) for one in columns)] for e in encoders
    ]
    rows += [[f"Distance, {group}", *(_shown(one.distance.get(group), 2) for one in columns)] for group in groups]
    rows.append(["Given away by", *(", ".join(one.given_away_by[:3]) for one in columns)])
    head = ["", *(f"{SET_NAMES.get(one.source, one.source)}, {one.population}" for one in columns)]
    sizes = "; ".join(dict.fromkeys(
        f"{SET_NAMES.get(one.source, one.source)} {number(one.real)} records" for one in columns
    ))  # fmt: skip
    about = f"{number(max(one.simulated for one in columns))} simulated records of each population; {sizes}. "
    return Table(about + _made(realism), head, rows)


def interval_table(realism: Realism) -> Table:
    """Return the distances of intervals and axes: a row per measurement, a column per kind of records."""
    columns = realism.intervals
    names = list(dict.fromkeys(name for one in columns for name in one.distance))
    rows: list[list[Content]] = [[name, *(_shown(one.distance.get(name), 2) for one in columns)] for name in names]
    rows.append(["Rank correlations, mean difference", *(_shown(one.unlike, 2) for one in columns)])
    chance = max(value for one in columns for value in one.by_chance.values())
    about = (
        f"Distance from {number(realism.rows)} rows of MIMIC-IV-ECG's machine measurements; two samples of one "
        f"distribution exceed {chance:.2f} at most once in twenty times. 'Drawn' is what the simulator meant, "
        "'measured' what is found in the signal, which real recordings show the error of."
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
