"""Retrieval between ECGs and reports: recall at k and median rank, computed in blocks so that a million records fit.

Every report identical to a record's own report is correct, because machine reports repeat heavily (docs/protocols.md
G.26). The rank of a query is one more than the number of wrong candidates that score at least as high as its best
correct one, so a constant encoder ranks last and not first. Identical texts share one vector, so one matrix of distinct
reports by ECGs answers both directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgdmer.errors import DataError

BLOCK = 512
"""Rows and columns of similarities computed at once: 1 MB in float32, which fits the cache."""
TIE = 1e-6
"""Cosines closer than this count as equal: float32 sums in another order differ by less."""


@dataclass(frozen=True)
class Ranks:
    """Rank of each record's query, from 1; both (N,)."""

    ecg_to_report: np.ndarray
    report_to_ecg: np.ndarray


def ranks(ecg: np.ndarray, report: np.ndarray, group: np.ndarray, block: int = BLOCK) -> Ranks:
    """Rank both directions among N records.

    `ecg` (N, E) and `report` (U, E) are unit vectors, one report vector per distinct text; `group` (N,) is the text
    index of each record. Candidates are all N reports (ECG -> report) and all N ECGs (report -> ECG).
    """
    _check(ecg, report, group)
    ecg, report = np.ascontiguousarray(ecg, np.float32), np.ascontiguousarray(report, np.float32)
    copies = np.bincount(group, minlength=len(report)).astype(np.float32)
    own, best = _correct_scores(ecg, report, group, block)
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


def _correct_scores(
    ecg: np.ndarray, report: np.ndarray, group: np.ndarray, block: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each ECG's score with its own text (N,), and each text's best score with its own ECGs (U,)."""
    own = np.empty(len(ecg), np.float32)
    for left in range(0, len(ecg), block):
        rows = slice(left, left + block)
        own[rows] = np.einsum("ne,ne->n", ecg[rows], report[group[rows]])
    best = np.full(len(report), -np.inf, np.float32)
    np.maximum.at(best, group, own)
    return own, best


def summarise(ranks: Ranks, group: np.ndarray, recall_at: Sequence[int]) -> dict[str, Any]:
    """Return recall at each k and the median rank in both directions, and the recall of a blind guess."""
    n, copies = len(group), np.bincount(group)
    directions = {"ecg_to_report": ranks.ecg_to_report, "report_to_ecg": ranks.report_to_ecg}
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
