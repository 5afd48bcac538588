"""The static plots for `dvc plots`: self-contained SVG, and the CSV it was drawn from."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from cgdmer.metrics_json import Metrics
from cgdmer.page.standalone import panels
from cgdmer.report import corpora, numbers
from cgdmer.report.gather import Findings
from cgdmer.report.headline import name_of


def draw(findings: Findings, metrics: Metrics, fraction: str) -> dict[str, str]:
    """Return the content of each file by name: label fractions, classes and training."""
    encoders = numbers.encoders_of(metrics)
    by_task = numbers.fraction_charts(metrics, encoders)
    classes = [c for t, r in findings.probes.items() if (c := numbers.class_chart(t, r, metrics, encoders, fraction))]
    held_out = pl.DataFrame(findings.summary.get("epochs") or [])
    losses = [
        corpora.loss_chart(findings.curve, held_out, term) for term in corpora.TERMS if term in findings.curve.columns
    ]
    keys = [(name_of(encoder), style) for style, encoder in enumerate(encoders)]
    return {
        "auroc_by_fraction.svg": panels("Macro AUROC against the share of labels", by_task, keys),
        "auroc_by_fraction.csv": _cells(metrics).write_csv(),
        "auroc_by_class.svg": panels("AUROC by class", classes, keys),
        "auroc_by_class.csv": _classes(findings, metrics, fraction).write_csv(),
        "training.svg": panels("Pretraining losses", losses, [("training", 0), ("held out", 1)]),
        "training.csv": findings.curve.write_csv(),
    }


def _cells(metrics: Metrics) -> pl.DataFrame:
    rows = [
        {"task": task, "fraction": float(fraction), "encoder": encoder, "representation": kind,
         **{key: value for key, value in cell.to_json().items() if key != "by_weights"}}
        for task, by_fraction in metrics.auroc.items()
        for fraction, encoders in by_fraction.items()
        for encoder, kinds in encoders.items()
        for kind, cell in kinds.items()
    ]  # fmt: skip
    return pl.DataFrame(rows).sort("task", "fraction", "encoder", "representation")


def _classes(findings: Findings, metrics: Metrics, fraction: str) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {"task": task, "encoder": encoder, "representation": metrics.main(encoder), "class": name, "auroc": value,
         "low": cell.per_class_interval[name][0], "high": cell.per_class_interval[name][1],
         "test_positives": result.test_positives[name]}
        for task, results in findings.probes.items()
        for encoder, result in results.items()
        for cell in [result.results.get(fraction, {}).get(metrics.main(encoder))] if cell
        for name, value in cell.per_class.items()
    ]  # fmt: skip
    return pl.DataFrame(rows)


def names() -> Sequence[str]:
    """Return the images that `dvc.yaml` declares as plots."""
    return ("auroc_by_fraction.svg", "auroc_by_class.svg", "training.svg")
