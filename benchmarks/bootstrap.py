"""The bootstrap of a task at full test size beside resampling record by record with scikit-learn's `roc_auc_score`.

Run: python -m benchmarks.bootstrap [--replicates N]

PTB-XL Sub: 2,158 test records, 23 classes with the published numbers of positives, five seeds, 1,000 replicates.
`ours` scores one encoder, as the stage `probe` does; `ours_paired` compares two encoders from saved predictions, as the
benchmark page does. Baselines, timed in the same run on the first replicates and scaled to all: `roc_auc_score` on the
resampled records, class by class; and the same count of ordered pairs from ranks, in plain NumPy. The three must agree.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from benchmarks.measuring import Outcome, machine, timed
from benchmarks.probe import POSITIVES, SIZES
from cgdmer.probing import bootstrap, comparison

TASK, SEEDS, TIMED, ROUNDS = "ptb_xl_sub", 5, 2, 3
Auroc = Callable[[np.ndarray, np.ndarray], float]
"""Maps labels (n,) and scores (n,) to an AUROC."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=1000)
    replicates = parser.parse_args().replicates
    labels = make_labels()
    first, second = make_scores(labels, 0), make_scores(labels, 1)
    table, other = make_table(first, labels), make_table(second, labels)
    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        ours = noted(seconds, "ours", partial(score, first, labels, replicates))
        noted(seconds, "paired", partial(comparison.compare, table, other, replicates))
        for name, auroc in BASELINES.items():
            found = noted(seconds, name, partial(one_by_one, first, labels, TIMED, auroc))
            np.testing.assert_allclose(ours[:, :TIMED], found, atol=1e-12)
    best = {name: min(values) for name, values in seconds.items()}
    scaled = {name: best[name] * replicates / TIMED for name in BASELINES}
    size = f"{len(labels)} records x {labels.shape[1]} classes, {SEEDS} seeds, {replicates} replicates"
    print(
        json.dumps(
            {
                "name": "bootstrap",
                "ratio": round(scaled["scikit-learn"] / best["ours"], 1),
                "ratio_numpy": round(scaled["numpy"] / best["ours"], 1),
                "ours": round(best["ours"], 2),
                "ours_paired": round(best["paired"], 2),
                "baseline": round(scaled["scikit-learn"], 1),
                "baseline_numpy": round(scaled["numpy"], 1),
                "unit": "s",
                "machine": machine(),
                "size": size,
                "baseline_is": f"extrapolated from {TIMED} replicates",
            }
        )
    )


def make_labels() -> np.ndarray:
    """Return test labels uint8 (n, C) with the prevalences of the training split and at least two of each kind."""
    share = np.array(POSITIVES[TASK].split(), dtype=int) / SIZES[TASK][0]
    labels = (np.random.default_rng(0).random((SIZES[TASK][2], len(share))) < share).astype(np.uint8)
    labels[:2] = 1
    return labels


def make_scores(labels: np.ndarray, encoder: int) -> list[np.ndarray]:
    """Return float32 scores (n, C) of each seed; AUROC is about 0.84."""
    rng = np.random.default_rng([1, encoder])
    return [(rng.normal(size=labels.shape) + 1.4 * labels).astype(np.float32) for _ in range(SEEDS)]


def make_table(scores: list[np.ndarray], labels: np.ndarray) -> pl.DataFrame:
    """Return predictions as the stage `probe` saves them, filtered to one fraction and representation."""
    classes = range(labels.shape[1])
    ids = [f"{row:05d}" for row in range(len(labels))]
    frames = [
        pl.DataFrame(
            {"id": ids, "seed": [seed] * len(ids)}
            | {f"score/{c}": each[:, c] for c in classes}
            | {f"label/{c}": labels[:, c] for c in classes}
        )
        for seed, each in enumerate(scores)
    ]
    return pl.concat(frames)


def score(scores: list[np.ndarray], labels: np.ndarray, replicates: int) -> np.ndarray:
    """Return AUROC (seeds, replicates, C) with the intervals that a result has, as the stage does."""
    counts = bootstrap.draws(len(labels), replicates)
    replicated = np.array([bootstrap.auroc(each, labels, counts) for each in scores])
    bootstrap.interval(0.5, bootstrap.over_seeds(bootstrap.macro(replicated)))
    for c in range(labels.shape[1]):
        bootstrap.interval(0.5, bootstrap.over_seeds(replicated[:, :, c]))
    return replicated


def one_by_one(scores: list[np.ndarray], labels: np.ndarray, replicates: int, auroc: Auroc) -> np.ndarray:
    """Return AUROC (seeds, replicates, C) of the resampled records; NaN for a class of one kind."""
    counts = bootstrap.draws(len(labels), replicates).astype(int)
    found = np.full((len(scores), replicates, labels.shape[1]), np.nan)
    for replicate in range(replicates):
        rows = np.repeat(np.arange(len(labels)), counts[:, replicate])
        for seed, each in enumerate(scores):
            for c in range(labels.shape[1]):
                kinds = labels[rows, c]
                if kinds.min() < kinds.max():
                    found[seed, replicate, c] = auroc(kinds, each[rows, c])
    return found


def by_ranks(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the Mann-Whitney statistic from ranks as a share of all pairs."""
    positives = int(labels.sum())
    pairs = positives * (len(labels) - positives)
    return float((rankdata(scores)[labels > 0].sum() - positives * (positives + 1) / 2) / pairs)


def noted(seconds: dict[str, list[float]], name: str, work: Callable[[], Outcome]) -> Outcome:
    """Do the work and note its seconds."""
    outcome, took = timed(work)
    seconds.setdefault(name, []).append(took)
    return outcome


BASELINES: dict[str, Auroc] = {"scikit-learn": roc_auc_score, "numpy": by_ranks}

if __name__ == "__main__":
    main()
