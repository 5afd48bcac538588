"""A small project with simulated benchmark corpora, and a tiny model to package in it."""

from pathlib import Path

import numpy as np
import polars as pl
import yaml

from cgdmer import paths, settings, tables
from cgdmer.files import write_json
from cgdmer.models import weights
from cgdmer.shards import manifest
from support import example_pool as example

PARAMS = {
    "matrix": {"sources": [], "benchmarks": [], "encoders": ["cgdmer"], "controls": ["handcrafted"], "probed": []},
    "corpora": {},
    "probe": {"C": [0.01, 1.0], "bootstrap": 20},
}
CLASSES = {
    "ptb_xl": {"ptb_xl_super": ("NORM", "MI"), "ptb_xl_sub": ("NORM", "AMI"), "ptb_xl_form": ("VCLVH", "PVC"),
               "ptb_xl_rhythm": ("AFIB", "SR")},
    "cpsc2018": {"cpsc2018": ("AFIB", "NORM")},
    "csn": {"csn": ("AFIB", "SR")},
}  # fmt: skip
RECORDS = 60


def source(root: Path, name: str, way: str = "simulate") -> None:
    """Write shards, index and manifest of one corpus; the first class of each task is whether the waves are tall."""
    example.write(root, name, RECORDS)
    ids = [f"{name}-{row:04d}" for row in range(RECORDS)]
    shards = pl.read_parquet(root / paths.shards(name) / manifest.ROWS)
    text = {column: ["x"] * RECORDS for column in ("patient", "member", "report", "sex")}
    columns = {"id": ids, **text, "leads": [["I"]] * RECORDS, "fs": [500.0] * RECORDS, "samples": [2000] * RECORDS}
    splits = np.array(["train", "val", "test"], dtype=object)[np.arange(RECORDS) % 3]
    columns |= {"age": [60.0] * RECORDS, "split": splits.tolist()}
    tall = example.signals(RECORDS)[2][:, 2] == 0
    random = np.random.default_rng(0).random(RECORDS) < 0.5
    labels = {
        f"{task}/{label}": pl.Series(values, dtype=pl.UInt8)
        for task, classes in CLASSES[name].items()
        for label, values in zip(classes, (tall, random), strict=True)
    }
    assert shards["id"].to_list() == ids
    tables.write(pl.DataFrame(columns | labels, schema_overrides=tables.INDEX_COLUMNS), root / paths.index(name))
    write_json(root / paths.raw(name) / "manifest.json", {"way": way})


def project(root: Path) -> Path:
    """Write a project with three corpora and a tiny trained model into `root`; return the model's folder."""
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    for name in CLASSES:
        source(root, name)
    _, reports, _ = example.signals(20)
    network = example.awake(
        weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, 0)
    )
    folder = root / "data/models/base"
    weights.save(folder, network, example.SIGNAL, {"records": 60, "pool": list(CLASSES)})
    return folder
