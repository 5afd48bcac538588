"""The Markdown page of a cross-validation on recorded ECGs."""

from collections.abc import Mapping
from typing import Any

from cgdmer.report.table import Content, Table, grid
from cgdmer.results import Interval


def markdown(result: Mapping[str, Any]) -> str:
    """Return the page, whether the method is ahead of the other encoders or not."""
    training, first = result["training"], next(iter(result["encoders"]))
    recorded = training["real_records"]
    left_out = "; ".join(f"{count} {why}" for why, count in result["left_out"].items() if count) or "none"
    parts = [
        f"# {result['task']} on real recordings, {result['folds']}-fold cross-validation",
        f"{result['records']} records of {result['patients']} patients, folds disjoint by patient (left out: "
        f"{left_out}). Macro AUROC of out-of-fold scores with the 95% interval of {result['bootstrap']} resamplings of "
        "patients; L2-regularised logistic regression, its C chosen inside the training folds.",
        f"The encoder in row `{first}` starts from {training['begins_from']} and continues pretraining for "
        f"{training['params']['epochs']} epochs on {training['simulated_records']} simulated records and the "
        f"{min(recorded)} to {max(recorded)} recorded ones of the other folds, with their reports, repeated to equal "
        "weight. No encoder was trained on a fold before scoring it.",
        grid(_table(result)),
        f"`{first}` compared with the others on `pooled` features and the same resamplings:",
        "\n".join(f"- {_verdict(name, Interval.from_json(gap))}" for name, gap in result["differences"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(result: Mapping[str, Any]) -> Table:
    rows: list[list[Content]] = []
    for name, kinds in result["encoders"].items():
        for kind, row in kinds.items():
            interval = Interval.from_json(row)
            by_class = [f"{row['per_class'][c]:.3f}" if c in row["per_class"] else "" for c in result["positives"]]
            rows.append([name, kind, interval.value(), interval.bounds(), *by_class])
    return Table("", ["encoder", "features", "macro AUROC", "interval", *result["positives"]], rows)


def _verdict(name: str, gap: Interval) -> str:
    """Name a winner only if the interval of the difference excludes zero."""
    words = "better than" if gap.low > 0 else "worse than" if gap.high < 0 else "not distinguishable from"
    return f"{words} {name}: {gap.text(signed=True)}"
