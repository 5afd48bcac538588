"""Each published encoder as a user runs it: weights named in params.yaml, then the stages embed and probe."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import example_pool as example
from support import peers
from support.example_task import make_index

from cgdmer import embeddings, paths, settings, tables
from cgdmer.encoders import published
from cgdmer.encoders.published import WEIGHTS
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, write_json
from cgdmer.stages.embed import embed
from cgdmer.stages.probe import probe

SOURCE, RECORDS = "cpsc2018", 48
QUICK = ("heartlang", "merl_resnet18")
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in published.names()]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Shards of a source, and an index whose labels are the findings in its signals."""
    monkeypatch.chdir(tmp_path)
    peers.shrink(monkeypatch)
    example.write(tmp_path, SOURCE, records=RECORDS)
    findings = example.signals(RECORDS)[2]
    rows = tables.read(paths.shards(SOURCE) / "rows.parquet")
    split = [tables.SPLITS[number % 3] for number in range(RECORDS)]
    labels = {
        f"{SOURCE}/{name}": pl.Series(findings[:, k] > 0, dtype=pl.UInt8) for k, name in ((0, "AFIB"), (2, "VPC"))
    }
    index = make_index(RECORDS).select(pl.exclude(f"^{SOURCE}/.*$")).with_columns(id=rows["id"], **labels)
    tables.write(index.with_columns(split=pl.Series(split)), paths.index(SOURCE))
    write_json(paths.index_facts(SOURCE), {"split": {"kind": "hash"}})
    return tmp_path


def configured(name):
    """Return the settings of a params.yaml with one more line, and the encoder's place in the matrix."""
    line = {"embed": {"outside": {name: f"data/outside/{name}"}}, "matrix": {"controls": [name], "probed": [name]}}
    demo = settings.read(Path(__file__).resolve().parents[2] / "params/demo.yaml")
    return settings.parse(settings.merge(demo, line | {"probe": {"fractions": [1.0], "seeds": 1, "bootstrap": 20}}))


def run(name):
    chosen = configured(name)
    embed(name, SOURCE, embed=chosen.embed, model=example.MODEL, signal=example.SIGNAL)
    return chosen


@pytest.mark.parametrize("name", NAMES)
def test_a_line_in_params_embeds_and_probes_it(name, project):
    weights = peers.write_weights(name, project / "data/outside" / name)
    chosen = run(name)
    cached = embeddings.read(paths.embeddings(name, SOURCE))
    assert cached.features["pooled"].shape == (RECORDS, published.card(name).form.width)
    assert cached.meta["encoder_digest"] == sha256(weights / WEIGHTS)
    different = np.unique(np.round(cached.features["pooled"], 4), axis=0)
    assert len(different) > RECORDS // 2  # HeartLang sees no beats, and so nothing, in the records that are sines
    probe(name, SOURCE, probe=chosen.probe)
    cell = read_json(paths.probe(name, SOURCE))["results"]["1.0"]["pooled"]
    assert 0.0 <= cell["low"] <= cell["mean"] <= cell["high"] <= 1.0
    assert cell["mean"] > 0.6


def test_weights_that_are_not_there_are_named(project):
    with pytest.raises(DataError, match=r"data/outside/melp/encoder\.safetensors is missing"):
        run("melp")
