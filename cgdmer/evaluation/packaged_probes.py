"""Linear probes that are packaged with an encoder: fitted, and measured, on the benchmark corpora of this project."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, report_text, tables
from cgdmer.encoders.encoding import encode_rows
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import DataError
from cgdmer.evaluation import zero_shot
from cgdmer.probing import linear_probe
from cgdmer.probing.cohort import Cohort, check_finite, cohort
from cgdmer.probing.linear_probe_io import FittedLayer, FittedProbe
from cgdmer.results import Cell, ZeroShotCell
from cgdmer.settings import Probe
from cgdmer.shards import Shards, open_shards

log = logging.getLogger(__name__)

TASKS = ("ptb_xl_super", "ptb_xl_sub", "ptb_xl_form", "ptb_xl_rhythm", "cpsc2018", "csn")
"""The six tasks of the paper."""
SOURCES = tuple(dict.fromkeys(tables.TASKS[task] for task in TASKS))
REPRESENTATION = "pooled"
FRACTION = 1.0


@dataclass(frozen=True)
class Measured:
    """A fitted probe, its test score, and the zero-shot score of the same task if the encoder reads reports."""

    probe: FittedProbe
    cell: Cell
    zero_shot: ZeroShotCell | None
    scores: np.ndarray
    """Log odds (n, C) of the test records."""


def open_corpus(source: str) -> Shards:
    """Open the shards of a benchmark corpus, verified; DataError names the command that makes them."""
    missing = [path for path in (paths.shards(source), paths.index(source)) if not path.exists()]
    if missing:
        raise DataError(f"{missing[0]} is missing", fix=f"dvc repro shards@{source}")
    return open_shards(paths.shards(source), verify=True)


def fit(encoder: Pretrained, source: str, shards: Shards, probe: Probe, batch: int) -> list[Measured]:
    """Encode the records of a corpus that belong to a split, and fit and measure its tasks among `TASKS`."""
    cohorts, features = _encoded(encoder, source, shards, batch)
    return [_measure(encoder, joined, features, probe) for joined in cohorts]


def reference_scores(
    encoder: Pretrained, source: str, shards: Shards, probes: Mapping[str, FittedProbe], batch: int
) -> dict[str, np.ndarray]:
    """Return the log odds (n, C) of the test records of each task of a corpus among `probes`, which were fitted."""
    cohorts, features = _encoded(encoder, source, shards, batch)
    return {joined.task: _scores(probes[joined.task], joined, features) for joined in cohorts if joined.task in probes}


def _encoded(encoder: Pretrained, source: str, shards: Shards, batch: int) -> tuple[list[Cohort], dict[str, Any]]:
    """Return the cohorts of a corpus, and the features (N, D) that their rows refer to."""
    records = shards.columns("id", "valid", "split").with_row_index("row")
    records = records.filter(pl.col("split") != tables.UNASSIGNED)
    rows, valid = records["row"].to_numpy().astype(np.int64), records["valid"].to_numpy()
    features = encode_rows(encoder, shards, rows, valid, batch, names=(REPRESENTATION, "aligned"))
    ids, index = records["id"].to_list(), tables.read(paths.index(source))
    for name, matrix in features.items():
        check_finite(matrix, ids, name, source)
    return [cohort(task, index, ids) for task in TASKS if tables.TASKS[task] == source], features


def _scores(probe: FittedProbe, joined: Cohort, features: Mapping[str, np.ndarray]) -> np.ndarray:
    layer, test = probe.layers[REPRESENTATION], features[REPRESENTATION][joined.test.rows]
    scores: np.ndarray = test.astype(np.float64) @ layer.coef + layer.intercept
    return scores


def _measure(encoder: Pretrained, joined: Cohort, features: dict[str, np.ndarray], probe: Probe) -> Measured:
    """Fit one task on its whole training split, with C chosen on validation, and score the test split once."""
    layers: list[FittedLayer] = []

    def keep(_fraction: float, _representation: str, run: linear_probe.Run) -> None:
        assert run.layer is not None
        layers.append(FittedLayer(*(array.astype(np.float32) for array in run.layer)))

    setting = probe.model_copy(update={"fractions": [FRACTION], "seeds": 1})
    result, _ = linear_probe.evaluate(joined, {REPRESENTATION: features[REPRESENTATION]}, setting, keep)
    scored = result.results[str(FRACTION)][REPRESENTATION]
    fitted = FittedProbe(joined.task, joined.classes, encoder.name, encoder.digest, {REPRESENTATION: layers[0]})
    prompted = _zero_shot(encoder, joined, features, probe.bootstrap)
    return Measured(fitted, scored.cell(result.protocol), prompted, _scores(fitted, joined, features))


def _zero_shot(
    encoder: Pretrained, joined: Cohort, features: dict[str, np.ndarray], replicates: int
) -> ZeroShotCell | None:
    """Score the test split by the package's prompts; None for an encoder that was not aligned with reports."""
    if "aligned" not in features:
        return None
    prompts = zero_shot.read_prompts(zero_shot.STATEMENTS, zero_shot.STATEMENTS.stem, ensemble=False)
    texts = zero_shot.texts_of(prompts, joined.classes)
    encoded = encoder.encode_reports([report_text.clean_joined(text) for several in texts for text in several])
    vectors = zero_shot.class_vectors(encoded, [len(several) for several in texts])
    scores = zero_shot.cosines(joined, features["aligned"], vectors)
    result = zero_shot.evaluate(joined, scores, prompts, replicates)
    return ZeroShotCell(
        result["mean"], result["low"], result["high"], result["n_test"], result["protocol"], prompts.facts["name"]
    )
