"""Stage embed: one encoder over one corpus, once, in eval mode and fp32 -> cached features."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, settings, tables
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.errors import ConfigError
from cgdmer.files import atomic, sha256
from cgdmer.settings.base import Section
from cgdmer.shards import Shards, open_shards


def embed(encoder: str, source: str, *, embed: settings.Embed, model: settings.Model, signal: settings.Signal) -> None:
    """Encode every record that a split names; killed and started again, finished chunks are kept."""
    shards = open_shards(paths.shards(source), verify=True)
    chosen = load(encoder, Setup(signal, model, embed.seed))
    check_form(chosen, shards)
    table = shards.columns("id", "split", "valid").with_row_index("row").filter(pl.col("split") != tables.UNASSIGNED)
    rows, valid = table["row"].to_numpy().astype(np.int64), table["valid"].to_numpy()
    work = paths.scratch("embed", encoder, source)
    folder = work / key(encoder, shards, embed, model, signal)
    parts = [
        chunk(
            chosen, shards, rows[begin : begin + embed.batch], valid[begin : begin + embed.batch], folder / f"{begin}"
        )
        for begin in range(0, len(rows), embed.batch)
    ]
    features = {name: np.concatenate([part[name] for part in parts]) for name in sorted(chosen.dims)}
    meta = {"encoder": encoder, "source": source, "dims": chosen.dims, "fs": chosen.fs, "shards": shards.digest}
    meta |= {"encoder_digest": getattr(chosen, "digest", "")}
    embeddings.write(paths.embeddings(encoder, source), table["id"].to_list(), features, meta)
    shutil.rmtree(work, ignore_errors=True)


def check_form(encoder: Encoder, shards: Shards) -> None:
    """Refuse signals of another rate or length than the encoder was made for."""
    if encoder.fs != shards.fs or shards.samples > round(encoder.fs * encoder.seconds):
        raise ConfigError(
            f"shards have {shards.samples} samples at {shards.fs} Hz",
            allowed=f"encoder {encoder.name} reads up to {encoder.seconds} s at {encoder.fs} Hz",
            mend="dvc repro pretrain",
        )


def chunk(encoder: Encoder, shards: Shards, rows: np.ndarray, valid: np.ndarray, stem: Path) -> dict[str, np.ndarray]:
    """Encode some rows, or read them back where an earlier, killed call has done so."""
    names = sorted(encoder.dims)
    files = {name: stem.with_name(f"{stem.name}.{name}.npy") for name in names}
    if all(path.is_file() for path in files.values()):
        return {name: np.load(path) for name, path in files.items()}
    found = encoder.encode(shards.gather(rows).astype(np.float32) / 1000, valid=valid)
    for name, path in files.items():
        with atomic(path) as temporary:
            np.save(temporary, found[name])
    return {name: found[name] for name in names}


def key(encoder: str, shards: Shards, *sections: Section) -> str:
    """Name the work by all that decides its result."""
    model = paths.MODEL / "weights.safetensors"
    trained = sha256(model) if encoder == "cgdmer" and model.is_file() else ""
    content = json.dumps([trained, shards.digest, *(section.model_dump() for section in sections)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
