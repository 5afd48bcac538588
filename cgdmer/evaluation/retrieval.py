"""Owns retrieval between ECGs and reports: recall at k and median rank, in blocks, so that a million records fit.

A record's own report is right, and so is every identical report: machine reports repeat heavily
(docs/protocols.md G.26). The rank of a query is one more than the number of wrong candidates that score at least as
high as its best right one, so that a constant encoder ranks last and not first. Identical texts have one vector, hence
one matrix of distinct reports by ECGs answers both directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.errors import DataError

BLOCK = 512
"""Rows and columns of similarities at once: 1 MB in float32, so that they stay in the cache."""
TIE = 1e-6
"""Cosines nearer than this are equal: sums of float32 in another order differ by less."""


@dataclass(frozen=True)
class Ranks:
    """Rank of each record's query, from 1; both (N,)."""

    ecg_to_report: np.ndarray
    report_to_ecg: np.ndarray


def ranks(ecg: np.ndarray, report: np.ndarray, group: np.ndarray, block: int = BLOCK) -> Ranks:
    """Rank both directions among N records.

    `ecg` (N, E) and `report` (U, E) are unit vectors, one report vector a distinct text; `group` (N,) names each
    record's text. Candidates are all N reports (ECG -> report) and all N ECGs (report -> ECG).
    """
    _check(ecg, report, group)
    ecg, report = np.ascontiguousarray(ecg, np.float32), np.ascontiguousarray(report, np.float32)
    copies = np.bincount(group, minlength=len(report)).astype(np.float32)
    own, best = _right_scores(ecg, report, group, block)
    above_own, above_best = np.zeros(len(ecg), np.int64), np.zeros(len(report), np.int64)
    for top in range(0, len(report), block):
        texts = slice(top, min(top + block, len(report)))
        for left in range(0, len(ecg), block):
            columns = slice(left, min(left + block, len(ecg)))
            scores, inside = report[texts] @ ecg[columns].T, group[columns] - top
            right = np.flatnonzero((inside >= 0) & (inside < texts.stop - top))
            as_own, as_best = scores >= own[columns] - TIE, scores >= best[texts, None] - TIE
            as_own[inside[right], right] = as_best[inside[right], right] = False
            above_own[columns] += (copies[texts] @ as_own.astype(np.float32)).astype(np.int64)
            above_best[texts] += np.count_nonzero(as_best, axis=1)
    return Ranks(above_own + 1, above_best[group] + 1)


def _right_scores(ecg: np.ndarray, report: np.ndarray, group: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each ECG's score with its own text (N,), and each text's best score with its own ECGs (U,)."""
    own = np.empty(len(ecg), np.float32)
    for left in range(0, len(ecg), block):
        part = slice(left, left + block)
        own[part] = np.einsum("ne,ne->n", ecg[part], report[group[part]])
    best = np.full(len(report), -np.inf, np.float32)
    np.maximum.at(best, group, own)
    return own, best


def summarise(found: Ranks, group: np.ndarray, recall_at: Sequence[int]) -> dict[str, Any]:
    """Return recall at each k and the median rank both ways, and what guessing would give."""
    n, copies = len(group), np.bincount(group)
    directions = {"ecg_to_report": found.ecg_to_report, "report_to_ecg": found.report_to_ecg}
    return {
        "n": n,
        "distinct_reports": int((copies > 0).sum()),
        "chance_recall_at_1": round(float((copies.astype(np.float64) ** 2).sum()) / n**2, 6),
        **{
            name: {
                "recall": {str(k): round(float((values <= k).mean()), 6) for k in recall_at},
                "median_rank": float(np.median(values)),
            }
            for name, values in directions.items()
        },
    }


def nearest(ecg: np.ndarray, report: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for a few ECGs (n, E) the `count` nearest distinct reports and their scores, best first."""
    scores = ecg @ report.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(scores, order, axis=1)


def _check(ecg: np.ndarray, report: np.ndarray, group: np.ndarray) -> None:
    if len(ecg) < 2 or len(report) < 2:
        raise DataError(
            f"retrieval needs at least two records with different reports, got {len(ecg)} and {len(report)}",
            fix="add held-out records with reports to the corpora in pretraining_set.sources",
        )
    if not np.isfinite(ecg).all() or not np.isfinite(report).all():
        raise DataError("aligned vectors are not finite", fix="dvc repro --force pretrain")
