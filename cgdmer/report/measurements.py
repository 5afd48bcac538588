"""The section on measured knowledge: ridge probes from features to intervals, axes, age and sex."""

from collections.abc import Mapping, Sequence

from cgdmer.evaluation.intervals import BINARY, MEASUREMENTS, Measured, MeasurementResult
from cgdmer.page import Html, el, number, section
from cgdmer.page.charts import key
from cgdmer.page.dots import Dot, dots
from cgdmer.page.standalone import Panel
from cgdmer.probing.representations import REPRESENTATIONS
from cgdmer.report import table
from cgdmer.report.headline import SOURCE_NAMES, encoder_order, name_of
from cgdmer.report.table import Content, Stacked, Table, stacked
from cgdmer.results import Interval

TITLE = "Measurements"
LEAD = (
    "What the features know that is not a label: a ridge regression on frozen features predicts what a reader would "
    "measure. R² is the share of the variance that it predicts; 0 is no better than the mean of all records."
)
ORIGINS = {"simulator": "the simulator's own numbers", "metadata": "age and sex of the metadata"}
TICKS = ((0.0, "0"), (0.25, ""), (0.5, "0.5"), (0.75, ""), (1.0, "1"))


def measurement_section(result: MeasurementResult | None) -> Html | None:
    """Draw the figure and, folded, the table; None if nothing was measured."""
    if result is None or not result.measurements:
        return None
    encoders = encoders_of(result.measurements)
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    tabled = [el("details", el("summary", "All representations, with errors"), *map(table.html, tables(result)))]
    return section("measurements", TITLE, keys, chart(result, encoders).figure(), tabled, lead=LEAD)


def encoders_of(measurements: Mapping[str, Measured]) -> list[str]:
    """Return the encoders that were probed, in the order of the tables."""
    return sorted({name for one in measurements.values() for name in one.encoders}, key=encoder_order)


def chart(result: MeasurementResult, encoders: Sequence[str]) -> Panel:
    """Draw R² of pooled features: one row per measurement, one dot per encoder with its interval."""
    rows, words = [], []
    for name, one in ordered(result.measurements):
        cells = {e: one.encoders[e]["pooled"].r2 for e in encoders if "pooled" in one.encoders.get(e, {})}
        row = [Dot(cell.mean, cell.low, cell.high, encoders.index(e)) for e, cell in cells.items()]
        rows.append((MEASUREMENTS[name].title, row))
        spoken = ", ".join(f"{name_of(encoder)} {cell.value(2)}" for encoder, cell in cells.items())
        words.append(f"{MEASUREMENTS[name].title}: {spoken}")
    label = f"R² of pooled features by measurement. {'; '.join(words)}"
    note = f"Pooled features; lines are 95% intervals over patients. {described(result)}"
    return Panel("What the encoders know", dots(label, rows, ticks=TICKS), note)


def ordered(measurements: Mapping[str, Measured]) -> list[tuple[str, Measured]]:
    """Return the measurements in the order of the tables."""
    return [(name, measurements[name]) for name in MEASUREMENTS if name in measurements]


def described(result: MeasurementResult) -> str:
    """Say what was measured, where the truth comes from, and the numbers of records."""
    truth = ", ".join(f"{SOURCE_NAMES.get(s, s)}: {ORIGINS[origin]}" for s, origin in result.sources.items())
    sizes = sorted({one.n_test for one in result.measurements.values()})
    tested = f"{number(sizes[0])} to {number(sizes[-1])}" if len(sizes) > 1 else number(sizes[0])
    return f"Truth: {truth}. {tested} test records; alpha is chosen on validation records."


def tables(result: MeasurementResult | None) -> list[Table]:
    """Return R² and error of every encoder and representation; none if nothing was measured."""
    if result is None or not result.measurements:
        return []
    measured = ordered(result.measurements)
    encoders = encoders_of(result.measurements)
    lines = [
        (e, kind)
        for e in encoders
        for kind in REPRESENTATIONS
        if any(kind in one.encoders.get(e, {}) for _, one in measured)
    ]
    head: list[str | Stacked] = [
        "Encoder and features",
        *(stacked(MEASUREMENTS[name].title, f"n {one.n_test}") for name, one in measured),
    ]
    rows = [
        [f"{name_of(encoder)}, {kind}", *(_cell(name, one, encoder, kind) for name, one in measured)]
        for encoder, kind in lines
    ]
    rows.append(["a constant", *(_baseline(name, one) for name, one in measured)])
    caption = (
        f"R² with 95% intervals over patients, then the mean absolute error (of sex the AUROC). {described(result)}"
    )
    return [Table(caption, head, rows)]


def _cell(name: str, one: Measured, encoder: str, kind: str) -> Content:
    measured = one.encoders.get(encoder, {}).get(kind)
    if measured is None:
        return None
    return stacked(measured.r2.value(2), measured.r2.bounds(2), error_text(name, measured.error))


def error_text(name: str, error: Interval) -> str:
    """Write an error with its unit: `12.3 ms`, or `AUROC 0.81`."""
    what = MEASUREMENTS[name]
    return f"AUROC {error.value(2)}" if what.kind == BINARY else f"{error.value(1)} {what.unit}"


def _baseline(name: str, one: Measured) -> Content:
    return stacked("0.00", error_text(name, Interval(one.baseline, one.baseline, one.baseline)))
