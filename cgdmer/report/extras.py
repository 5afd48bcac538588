"""What the page shows if asked: frequent classes, label efficiency, published numbers beside re-measured ones."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, section
from cgdmer.report import frequent_classes, label_efficiency, like_for_like, table
from cgdmer.report.gather import Findings
from cgdmer.report.table import Table
from cgdmer.settings import Report

LIKE_FOR_LIKE = "Published and re-measured"


@dataclass(frozen=True)
class Extras:
    """What `report` asks for, measured once for the page and `report.md`."""

    frequent: Mapping[str, frequent_classes.Scores]
    """By label fraction; empty unless asked for."""
    efficiency: label_efficiency.Efficiencies
    """Empty unless asked for."""


def measure(findings: Findings, metrics: Metrics, fractions: Iterable[str], report: Report) -> Extras:
    """Measure what `report` asks for, at some label fractions."""
    least, reference = report.min_positives, report.label_efficiency
    return Extras(
        {one: frequent_classes.measure(findings.probes, metrics, one, least) for one in set(fractions) if least},
        label_efficiency.measure(findings.probes, metrics, reference) if reference else {},
    )


def sections(extras: Extras, fraction: str, report: Report) -> Iterator[Html]:
    """Yield the sections that `report` asks for."""
    if report.min_positives:
        yield frequent_classes.frequent_section(extras.frequent[fraction], fraction, report.min_positives)
    if report.label_efficiency and (
        drawn := label_efficiency.efficiency_section(extras.efficiency, report.label_efficiency)
    ):
        yield drawn


def tables(findings: Findings, extras: Extras, fraction: str, report: Report) -> Iterator[tuple[str, Table]]:
    """Yield the tables of `report.md` with their titles."""
    if report.min_positives:
        table_of_classes = frequent_classes.frequent_table(extras.frequent[fraction], fraction, report.min_positives)
        yield frequent_classes.TITLE, table_of_classes
    if report.label_efficiency and any(extras.efficiency.values()):
        yield label_efficiency.TITLE, label_efficiency.efficiency_table(extras.efficiency, report.label_efficiency)
    if report.published and (pairs := pairs_table(findings)):
        yield LIKE_FOR_LIKE, pairs


def pairs_table(findings: Findings) -> Table | None:
    """Return published numbers beside re-measured ones; None if none is like for like."""
    whole = {name: corpus.way != "simulate" and not corpus.partial for name, corpus in findings.sources.items()}
    return like_for_like.pairs_table(list(like_for_like.pairs(findings.probes, whole)))


def pairs_section(findings: Findings) -> Html | None:
    """Draw published numbers beside re-measured ones; None if none is like for like."""
    pairs = pairs_table(findings)
    lead = (
        "Numbers of a paper beside the same encoder measured here with that paper's own protocol, on the whole corpus, "
        "the published split and the published training records, with the score that its released code prints."
    )
    return section("like-for-like", LIKE_FOR_LIKE, table.html(pairs), lead=lead) if pairs else None
