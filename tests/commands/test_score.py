"""`cgdmer score`: cosines of prompts, whose texts are hashed, and probabilities from a probe of the same encoder."""

import hashlib
import json
import os

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from support import example_recordings as example
from support.example_task import make_index

import cgdmer
from cgdmer import cli, embeddings, paths, tables
from cgdmer.files import write_json
from cgdmer.probing import linear_probe_io
from cgdmer.settings import Probe
from cgdmer.stages.probe import probe


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        example.wfdb(tmp_path / "in", f"record {number}", seed=number)


@pytest.fixture
def encoder():
    return cgdmer.load_encoder(example.model())


@pytest.fixture
def fitted(encoder):
    """Run the probe stage on random features of this encoder; return the index and the features."""
    index = make_index()
    draw = np.random.default_rng(0)
    tables.write(index, paths.index("cpsc2018"))
    write_json(paths.index_facts("cpsc2018"), {"split": {"kind": "hash"}})
    made = {name: draw.normal(size=(len(index), width)).astype(np.float32) for name, width in encoder.dims.items()}
    meta = {"encoder_digest": encoder.digest}
    embeddings.write(paths.embeddings("cgdmer", "cpsc2018"), index["id"].to_list(), made, meta)
    probe("cgdmer", "cpsc2018", probe=Probe(fractions=[0.5, 1.0], seeds=1, C=[0.01, 1.0], bootstrap=10))
    return index, made


def run(*words):
    return cli.main(["--quiet", "score", "in", *words, "--model", str(example.model())])


def test_each_prompt_has_a_cosine_and_is_named_with_its_hash(encoder):
    assert run("--classes", "AFIB,NORM") == 0
    table = pl.read_parquet("scores.parquet")
    assert table.columns == ["id", "seconds", "missing", "quality", "zero_shot/AFIB", "zero_shot/NORM"]
    meta = json.loads(pq.read_schema("scores.parquet").metadata[b"cgdmer"])["prompts"]
    text = meta["classes"]["AFIB"]["text"]
    assert text == "atrial fibrillation"
    assert meta["classes"]["AFIB"]["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    record = cgdmer.read_record("in/record 1.hea", encoder)
    assert table["zero_shot/AFIB"][1] == pytest.approx(encoder.zero_shot(record.signal[None], [text])[0, 0], abs=1e-5)


def test_own_prompts_and_a_table_with_its_facts_beside_it(tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps({"prompts": {"fast": "fast rate", "slow": "slow rate"}}))
    assert run("--prompts", "mine.json", "-o", "out.csv") == 0
    table = pl.read_csv("out.csv")
    assert table.columns[4:] == ["zero_shot/fast", "zero_shot/slow"]
    assert json.loads((tmp_path / "out.csv.cgdmer.json").read_text())["prompts"]["name"] == "mine"


def test_a_saved_probe_gives_the_probabilities_of_its_own_predictions(fitted, encoder):
    index, made = fitted
    assert run("--probe", "cpsc2018", "--classes", "NORM") == 0
    table = pl.read_parquet("scores.parquet").select(pl.col("^probe/.*$"))
    assert table.columns == ["probe/cpsc2018/AFIB", "probe/cpsc2018/VPC", "probe/cpsc2018/NORM", "probe/cpsc2018/STE"]
    assert table.to_numpy().min() >= 0
    assert table.to_numpy().max() <= 1
    head = linear_probe_io.load(paths.fitted_probe("cgdmer", "cpsc2018"))
    saved = tables.read(paths.predictions("cgdmer", "cpsc2018")).filter(
        (pl.col("fraction") == 1) & (pl.col("representation") == "pooled")
    )
    place = {name: row for row, name in enumerate(index["id"])}
    test = {name: values[[place[name] for name in saved["id"]]] for name, values in made.items()}
    logits = saved.select(pl.col("^score/.*$")).to_numpy()
    np.testing.assert_allclose(head.probabilities(test, "pooled"), 1 / (1 + np.exp(-logits.astype(float))), atol=1e-5)


def test_percentiles_compare_with_the_test_records_of_the_stage_probe(fitted, capsys):
    assert run("--probe", "cpsc2018", "--classes", "NORM", "--percentiles", "-o", "out.csv") == 0
    table, said = pl.read_csv("out.csv"), capsys.readouterr().out
    names = [name for name in table.columns if name.startswith("percentile/")]
    assert names == [f"percentile/cpsc2018/{name}" for name in ("AFIB", "VPC", "NORM", "STE")]
    saved = tables.read(paths.predictions("cgdmer", "cpsc2018")).filter(
        (pl.col("fraction") == 1) & (pl.col("representation") == "pooled")
    )
    for name in names:
        scored = table[name.replace("percentile", "probe")].to_numpy()
        others = 1 / (1 + np.exp(-saved[f"score/{name.rpartition('/')[2]}"].to_numpy().astype(float)))
        share = [100 * np.mean(others < one) for one in scored]
        np.testing.assert_allclose(table[name].to_numpy(), share, atol=1.1 + 50 / len(others))
    assert f"percentiles compare with held-out test records (unknown origin): cpsc2018 ({len(saved)})" in said
    tables.write(saved.drop("score/VPC"), paths.predictions("cgdmer", "cpsc2018"))
    assert run("--probe", "cpsc2018") == 3
    assert "does not hold the test scores of its probe" in capsys.readouterr().err
    paths.predictions("cgdmer", "cpsc2018").unlink()
    assert run("--probe", "cpsc2018") == 0
    assert "no percentiles for cpsc2018: the test scores of the stage probe are not beside" in capsys.readouterr().out


def test_cosines_have_no_percentiles(capsys):
    assert run("--classes", "NORM", "--percentiles") == 0
    assert "no percentiles: cosines with prompts have no reference recordings" in capsys.readouterr().out


def test_a_probe_of_another_encoder_is_refused(fitted, capsys):
    path = paths.fitted_probe("cgdmer", "cpsc2018")
    head = linear_probe_io.load(path)
    other = linear_probe_io.FittedProbe(head.task, head.classes, head.encoder, "0" * 64, head.layers)
    linear_probe_io.save(path, other)
    assert run("--probe", str(path)) == 3
    assert "is fitted for encoder cgdmer 000000000000" in capsys.readouterr().err
    assert not os.path.exists("scores.parquet")


def test_saving_twice_gives_the_same_bytes(fitted, tmp_path):
    head = linear_probe_io.load(paths.fitted_probe("cgdmer", "cpsc2018"))
    for name in ("a", "b"):
        linear_probe_io.save(tmp_path / f"{name}.probe.safetensors", head)
    first, second = ((tmp_path / f"{name}.probe.safetensors").read_bytes() for name in "ab")
    assert first == second == paths.fitted_probe("cgdmer", "cpsc2018").read_bytes()


def test_a_damaged_probe_is_named(fitted, capsys):
    path = paths.fitted_probe("cgdmer", "cpsc2018")
    path.write_bytes(path.read_bytes()[:-100])
    assert run("--probe", "cpsc2018") == 3
    assert "is not a saved probe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--classes", "AFIBB"], 2, "did you mean 'AFIB'"),
        (["--probe", "cpsc"], 2, "did you mean 'cpsc2018'"),
        (["--probe", "csn"], 3, "dvc repro probe"),
        (["--prompts", "gone.json"], 3, "gone.json"),
    ],
)
def test_wrong_words_are_explained(words, code, message, capsys):
    assert run(*words) == code
    assert message in capsys.readouterr().err


def test_an_unknown_representation_is_explained(fitted, capsys):
    assert run("--probe", "cpsc2018", "--representation", "poled") == 2
    assert "did you mean 'pooled'" in capsys.readouterr().err
