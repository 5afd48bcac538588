"""Stage retrieval: held-out records of the pretraining corpora -> recall of reports from ECGs, and the reverse."""

from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, privacy, settings
from cgdmer.encoders.cgdmer import Pretrained, open_folder
from cgdmer.errors import DataError
from cgdmer.evaluation import retrieval as ranking
from cgdmer.files import read_json, write_json
from cgdmer.probing.subsets import nested
from cgdmer.shards import Shards, concatenate, open_shards

HELD_OUT = "test"
"""The split nothing was trained or selected on."""
BATCH = 256
EXAMPLES = 4
SHOWN = 3
"""Examples for the report, and the reports shown with each."""


def retrieval(*, retrieval: settings.Retrieval) -> None:
    """Rank test-split records that have a report, at most `max_records`, drawn by a hash of their ids."""
    sources = sorted(read_json(paths.PRETRAINING_SET)["sources"])
    shards = concatenate([open_shards(paths.shards(source), verify=True) for source in sources])
    chosen = choose(shards, retrieval.max_records)
    texts, group = np.unique(chosen["report"].to_numpy().astype(str), return_inverse=True)
    encoder = open_folder(paths.MODEL)
    if "aligned" not in encoder.dims:
        raise DataError(
            "the model was trained without reports", fix="set objective.contrastive above 0, then: dvc repro"
        )
    ecg = encode(encoder, shards, chosen)
    report = encoder.encode_reports(texts.tolist())
    found = ranking.summarise(ranking.ranks(ecg, report, group), group, retrieval.recall_at)
    shown = privacy.allowed(retrieval.examples, sources)
    kept = examples(chosen, ecg, report, texts, group) if shown else []
    write_json(paths.retrieval(), {"sources": sources, **found, "examples": kept})


def choose(shards: Shards, most: int) -> pl.DataFrame:
    """Return `row`, `id`, `source`, `report`, `valid` of the records to rank, in row order."""
    table = shards.columns("id", "split", "report", "valid").with_row_index("row")
    held_out = table.filter(pl.col("split") == HELD_OUT, pl.col("report") != "")
    if held_out.is_empty():
        raise DataError(
            f"no {HELD_OUT} record of the pretraining corpora has a report",
            allowed="test records with a report in pretraining_set.sources",
            fix="set index.test_fraction above 0 in params.yaml, then: dvc repro",
        )
    names = (held_out["source"] + "/" + held_out["id"]).to_list()
    return held_out[nested(names, min(1.0, most / len(names)), seed=0)]


def encode(encoder: Pretrained, shards: Shards, chosen: pl.DataFrame) -> np.ndarray:
    """Return aligned vectors (N, E) in batches, so that memory stays bounded."""
    rows, valid = chosen["row"].to_numpy().astype(np.int64), chosen["valid"].to_numpy()
    parts = []
    for begin in range(0, len(rows), BATCH):
        part = slice(begin, begin + BATCH)
        signal = shards.gather(rows[part]).astype(np.float32) / 1000
        parts.append(encoder.encode(signal, valid=valid[part])["aligned"])
    return np.concatenate(parts)


def examples(
    chosen: pl.DataFrame, ecg: np.ndarray, report: np.ndarray, texts: np.ndarray, group: np.ndarray
) -> list[dict[str, Any]]:
    """Return the nearest reports of the first few records, for a person to read."""
    places, scores = ranking.nearest(ecg[:EXAMPLES], report, SHOWN)
    return [
        {
            "id": chosen["id"][i],
            "source": chosen["source"][i],
            "report": chosen["report"][i],
            "nearest": [
                {"report": str(texts[k]), "score": round(float(score), 4), "right": bool(k == group[i])}
                for k, score in zip(places[i], scores[i], strict=True)
            ],
        }
        for i in range(len(places))
    ]
