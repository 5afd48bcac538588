"""Stage disentanglement: held-out records -> what the shared and the specific features of the ECG hold."""

import numpy as np
import polars as pl

from cgdmer import paths, settings
from cgdmer.encoders.cgdmer import Pretrained, open_folder
from cgdmer.evaluation import disentanglement as knowing
from cgdmer.evaluation.reconstruction import errors
from cgdmer.files import read_json, write_json
from cgdmer.probing.subsets import nested
from cgdmer.shards import Shards, concatenate, open_shards
from cgdmer.shards.batches import lead_flags

BATCH = 256
PARTS = ("shared", "specific", "pooled")


def disentanglement(*, disentanglement: settings.Disentanglement) -> None:
    """Fit on training records, measure on test records; both drawn by a hash of their ids."""
    sources = sorted(read_json(paths.PRETRAINING_SET)["sources"])
    shards = concatenate([open_shards(paths.shards(source), verify=True) for source in sources])
    encoder = open_folder(paths.MODEL)
    fitted, measured = draw(shards, "train", disentanglement.fitted), draw(shards, "test", disentanglement.measured)
    names, *made = knowing.labels(fitted["report"].to_list(), measured["report"].to_list(), disentanglement.least)
    content = {}
    if names:
        features = [encode(encoder, shards, group) for group in (fitted, measured)]
        content = knowing.content(features[0], features[1], (made[0], made[1]), disentanglement.bootstrap)
    write_json(
        paths.disentanglement(),
        {
            "sources": sources,
            "n": {"fitted": fitted.height, "measured": measured.height, "statements": len(names)},
            "content": content,
            "reconstruction": knowing.rebuilt(hidden_errors(encoder, shards, measured), disentanglement.bootstrap),
        },
    )


def draw(shards: Shards, split: str, most: int) -> pl.DataFrame:
    """Return at most `most` records of a split that have a report, in row order."""
    table = shards.columns("id", "split", "report", "valid", "missing").with_row_index("row")
    held = table.filter(pl.col("split") == split, pl.col("report") != "")
    names = (held["source"] + "/" + held["id"]).to_list()
    return held[nested(names, min(1.0, most / max(1, len(names))), seed=0)] if names else held


def encode(encoder: Pretrained, shards: Shards, chosen: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the features (n, D) of each part, in batches."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in PARTS if name in encoder.dims}
    for part in chosen.iter_slices(BATCH):
        signal = shards.gather(part["row"].to_numpy().astype(np.int64)).astype(np.float32) / 1000
        for name, values in encoder.encode(signal, valid=part["valid"].to_numpy()).items():
            if name in found:
                found[name].append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def hidden_errors(encoder: Pretrained, shards: Shards, chosen: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the reconstruction error of each record by the parts that the decoder may read."""
    found: dict[str, list[np.ndarray]] = {}
    for number, part in enumerate(chosen.iter_slices(BATCH)):
        signal = shards.gather(part["row"].to_numpy().astype(np.int64))
        missing = lead_flags(part["missing"].to_numpy())
        given = errors(encoder.model.cpu(), signal, part["valid"].to_numpy(), missing, seed=number)
        for name, values in given.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}
