"""`report.md`: the numbers of the benchmark page as Markdown, for a terminal, a diff or a pull request."""

from collections.abc import Sequence
from html import escape

from cgdmer.metrics_json import Metrics
from cgdmer.report import (
    ablations,
    attentive,
    compatibility,
    corpora,
    disentanglement,
    encoders,
    extras,
    finetuning,
    measurements,
    numbers,
    paired,
    real,
    robustness,
    table,
)
from cgdmer.report.gather import Findings
from cgdmer.report.headline import percent
from cgdmer.report.html import summary
from cgdmer.report.table import Table
from cgdmer.settings import Report


def write(findings: Findings, metrics: Metrics, report: Report, extra: extras.Extras) -> str:
    """Return the Markdown text."""
    fractions = list(reversed(metrics.fractions()))
    probes = findings.probes
    protocols = zip(compatibility.protocols(probes), compatibility.tables(probes), strict=True)
    defects = [f"{'; '.join(compatibility.notes(compatibility.of(probes, name)))}.\n\n{table.markdown(one)}"
               for name, one in protocols]  # fmt: skip
    ablated = ablations.tables(findings.ablations)
    finetuned = finetuning.tables(findings.finetuning)
    pooled = attentive.tables(findings.attentive, metrics)
    parts = [
        f"# {escape(report.title, quote=False)}",
        summary(metrics, fractions[0]),
        *(f"**{line}**" for line in corpora.simulated(findings)),
        *(_section(f"Linear probes, {percent(one)} of the labels", [numbers.probe_table(metrics, one)])
          for one in fractions),
        _section(encoders.TITLE, [encoders.table_of(findings.probes, findings.seen)], encoders.LEAD),
        _section("Differences", paired.paired_tables(metrics.differences, findings.ablations.get(ablations.FULL))),
        *(_section(title, [one]) for title, one in extras.tables(findings, extra, fractions[0], report)),
        _section(attentive.TITLE, pooled, attentive.LEAD if pooled else ""),
        _section("Fine-tuning", finetuned, finetuning.LEAD if finetuned else finetuning.OFF),
        _section("Fewer leads and disturbances", robustness.tables(findings.robustness)),
        _section("Zero-shot", numbers.zero_shot_tables(metrics)),
        _section("Retrieval", numbers.retrieval_tables(findings.retrieval)),
        _section(disentanglement.TITLE, disentanglement.tables(findings.disentanglement)),
        _section(measurements.TITLE, measurements.tables(findings.measurements)),
        _section(real.TITLE, real.tables(findings.real)),
        "\n\n".join(["## Published protocols", *defects]) if defects else "",
        _section("Ablations", ablated, ablations.text(findings.ablations, findings.ablations_left_out)),
        _section("Data", [corpora.data_table(findings)]),
        "## What is not reproduced\n\n" + "\n".join(f"- {line}" for line in corpora.missing(findings)),
        _section("Versions", [corpora.versions_table(findings)]),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, tables: Sequence[Table], lead: str = "") -> str:
    """Return a section; empty without a table or a lead."""
    blocks = [lead, *map(table.markdown, tables)] if lead else list(map(table.markdown, tables))
    return "\n\n".join([f"## {title}", *blocks]) if blocks else ""
