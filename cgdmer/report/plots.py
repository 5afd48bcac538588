"""Owns the static plots for `dvc plots` and their tables: SVG that needs nothing, CSV that anything reads."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from cgdmer.page.standalone import panels
from cgdmer.report import corpora, numbers
from cgdmer.report.gather import Findings
from cgdmer.report.headline import TASK_NAMES, encoder_order, fractions, name_of

Named = dict[str, str]


def draw(found: Findings, metrics: dict[str, Any], fraction: str) -> Named:
    """Return file name to content: label fractions, classes, training; SVG and the CSV it was drawn from."""
    shares = fractions(metrics)
    encoders = sorted({e for task in metrics["auroc"].values() for f in task.values() for e in f}, key=encoder_order)
    by_task = [numbers.fraction_chart(metrics, t, shares, encoders) for t in TASK_NAMES if t in metrics["auroc"]]
    classes = [c for t, r in found.probes.items() if (c := numbers.class_chart(t, r, encoders, fraction))]
    held_out = pl.DataFrame(found.summary.get("epochs") or [])
    losses = [corpora.loss_chart(found.curve, held_out, term) for term in corpora.TERMS if term in found.curve.columns]
    keys = [(name_of(encoder), style) for style, encoder in enumerate(encoders)]
    return {
        "auroc_by_fraction.svg": panels("Macro AUROC against the share of labels, pooled features", by_task, keys),
        "auroc_by_fraction.csv": _cells(metrics).write_csv(),
        "auroc_by_class.svg": panels("AUROC by class, pooled features", classes, keys),
        "auroc_by_class.csv": _classes(found, fraction).write_csv(),
        "training.svg": panels("Pretraining losses", losses, [("training", 0), ("held out", 1)]),
        "training.csv": found.curve.write_csv(),
    }


def _cells(metrics: dict[str, Any]) -> pl.DataFrame:
    rows = [
        {"task": task, "fraction": float(fraction), "encoder": encoder, "representation": kind, **cell}
        for task, by_fraction in metrics["auroc"].items()
        for fraction, encoders in by_fraction.items()
        for encoder, kinds in encoders.items()
        for kind, cell in kinds.items()
    ]
    return pl.DataFrame(rows).sort("task", "fraction", "encoder", "representation")


def _classes(found: Findings, fraction: str) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {"task": task, "encoder": encoder, "class": name, "auroc": value, "low": part["per_class_interval"][name][0],
         "high": part["per_class_interval"][name][1], "test_positives": result["test_positives"][name]}
        for task, results in found.probes.items()
        for encoder, result in results.items()
        for part in [result["results"].get(fraction, {}).get(numbers.MAIN)] if part
        for name, value in part["per_class"].items()
    ]  # fmt: skip
    return pl.DataFrame(rows)


def names() -> Sequence[str]:
    """Return the images that `dvc.yaml` declares as plots."""
    return ("auroc_by_fraction.svg", "auroc_by_class.svg", "training.svg")
