"""What the page shows if asked: frequent classes, label efficiency, published numbers beside re-measured ones."""

from collections.abc import Iterator

from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, section
from cgdmer.report import frequent_classes, label_efficiency, like_for_like, table
from cgdmer.report.gather import Findings
from cgdmer.report.table import Table
from cgdmer.settings import Report

LIKE_FOR_LIKE = "Published and re-measured"


def sections(findings: Findings, metrics: Metrics, fraction: str, report: Report) -> Iterator[Html]:
    """Yield the sections that `report` asks for."""
    if report.min_positives:
        scores = frequent_classes.measure(findings.probes, metrics, fraction, report.min_positives)
        yield frequent_classes.frequent_section(scores, fraction, report.min_positives)
    if report.label_efficiency:
        measured = label_efficiency.measure(findings.probes, metrics, report.label_efficiency)
        if drawn := label_efficiency.efficiency_section(measured, report.label_efficiency):
            yield drawn


def tables(findings: Findings, metrics: Metrics, fraction: str, report: Report) -> Iterator[tuple[str, Table]]:
    """Yield the tables of `report.md` with their titles."""
    if report.min_positives:
        scores = frequent_classes.measure(findings.probes, metrics, fraction, report.min_positives)
        yield frequent_classes.TITLE, frequent_classes.frequent_table(scores, fraction, report.min_positives)
    if report.label_efficiency:
        measured = label_efficiency.measure(findings.probes, metrics, report.label_efficiency)
        if any(measured.values()):
            yield label_efficiency.TITLE, label_efficiency.efficiency_table(measured, report.label_efficiency)
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
