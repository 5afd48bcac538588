"""Measurements as pages name and format them."""

from collections.abc import Mapping
from dataclasses import dataclass

from cgdmer.page import number
from cgdmer.probing import reference
from cgdmer.signals.leads import LEADS


@dataclass(frozen=True)
class Measure:
    """The name of a measurement, its unit and how many decimals it deserves."""

    name: str
    unit: str = ""
    digits: int = 0


MEASURES: Mapping[str, Measure] = {
    "heart_rate": Measure("Heart rate", "/min"),
    "beats": Measure("Beats"),
    "other_beats": Measure("Beats of another shape"),
    "rr_ms": Measure("Mean RR", "ms"),
    "rr_variation": Measure("RR variation", "", 3),
    "rmssd_ms": Measure("RMSSD", "ms"),
    "p_ms": Measure("P", "ms"),
    "pr_ms": Measure("PR", "ms"),
    "qrs_ms": Measure("QRS", "ms"),
    "qt_ms": Measure("QT", "ms"),
    "qtc_bazett_ms": Measure("QTc (Bazett)", "ms"),
    "qtc_fridericia_ms": Measure("QTc (Fridericia)", "ms"),
    "p_axis": Measure("P axis", "°"),
    "qrs_axis": Measure("QRS axis", "°"),
    "t_axis": Measure("T axis", "°"),
    "sokolow_lyon_mv": Measure("Sokolow-Lyon", "mV", 2),
    "cornell_mv": Measure("Cornell", "mV", 2),
}
"""The measurements of a whole recording, in the order of the pages."""
LISTED = ("heart_rate", "pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qrs_axis")
"""The measurements in the list of recordings."""
BY_LEAD: Mapping[str, str] = {"r": "R\u00a0(mV)", "s": "S\u00a0(mV)", "st": "ST\u00a0(mV)"}
"""The measurements of each lead."""


def value(name: str, measurements: Mapping[str, float | None]) -> str:
    """Return a measurement with its unit, or a dash without evidence for it."""
    measure, found = MEASURES[name], measurements.get(name)
    if found is None:
        return number(None)
    space = "" if measure.unit in ("", "°", "/min") else " "
    return rounded(found, measure.digits) + space + measure.unit


def percentile(exact: float | None) -> str:
    """Return a percentile as a whole number, `<1` or `>99`; a dash without reference recordings."""
    return number(None) if exact is None else reference.text(exact)


def by_lead(kind: str, measurements: Mapping[str, float | None]) -> list[str]:
    """Return a measurement of each lead in mV, or a dash."""
    found = [measurements.get(f"{kind}_{lead}_mv") for lead in LEADS]
    return [number(None) if each is None else rounded(each, 2) for each in found]


def rounded(exact: float, digits: int) -> str:
    """Return a number with its decimals; what rounds to zero has no sign."""
    return number(round(exact, digits) + 0.0, digits)
