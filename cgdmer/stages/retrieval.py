"""Stage retrieval: held-out records of the pretraining corpora -> recall of reports from ECGs, and the reverse."""

from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, privacy, settings
from cgdmer.encoders.encoding import encode_rows
from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import DataError
from cgdmer.evaluation import retrieval as evaluation
from cgdmer.evaluation.held_out import draw
from cgdmer.files import read_json, write_json
from cgdmer.shards import concatenate, open_shards

HELD_OUT = "test"
"""The split that nothing was trained or selected on."""
BATCH = 256
EXAMPLES, NEAREST = 4, 3
"""Records shown as examples on the benchmark page, and the nearest reports shown with each."""


def retrieval(*, retrieval: settings.Retrieval) -> None:
    """Rank the reports of at most `max_records` test records; a hash of their ids draws them."""
    sources = sorted(read_json(paths.PRETRAINING_SET)["sources"])
    shards = concatenate([open_shards(paths.shards(source), verify=True) for source in sources])
    records = draw(shards, HELD_OUT, retrieval.max_records)
    if records.is_empty():
        raise DataError(
            f"no {HELD_OUT} record of the pretraining corpora has a report",
            allowed="test records with a report in pretraining_set.sources",
            fix="set index.test_fraction above 0 in params.yaml, then: dvc repro",
        )
    encoder = open_folder(paths.MODEL)
    if "aligned" not in encoder.dims:
        raise DataError(
            "the model was trained without reports", fix="set objective.contrastive above 0, then: dvc repro"
        )
    texts, group = np.unique(records["report"].to_numpy().astype(str), return_inverse=True)
    rows, valid = records["row"].to_numpy().astype(np.int64), records["valid"].to_numpy()
    ecg = encode_rows(encoder, shards, rows, valid, BATCH, names=["aligned"])["aligned"]
    report = encoder.encode_reports(texts.tolist())
    ranks = evaluation.ranks(ecg, report, group)
    named = privacy.allowed(retrieval.examples, sources)
    result = {
        "sources": sources,
        **evaluation.summarise(ranks, group, retrieval.recall_at),
        "examples": examples(records, ecg, report, texts, group) if named else [],
    }
    write_json(paths.retrieval(), result)


def examples(
    records: pl.DataFrame, ecg: np.ndarray, report: np.ndarray, texts: np.ndarray, group: np.ndarray
) -> list[dict[str, Any]]:
    """Return the nearest reports of the first few records, for a person to read."""
    nearest, scores = evaluation.nearest(ecg[:EXAMPLES], report, NEAREST)
    return [
        {
            "id": records["id"][i],
            "source": records["source"][i],
            "report": records["report"][i],
            "nearest": [
                {"report": str(texts[k]), "score": round(float(score), 4), "right": bool(k == group[i])}
                for k, score in zip(nearest[i], scores[i], strict=True)
            ],
        }
        for i in range(len(nearest))
    ]
