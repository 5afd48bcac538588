"""Stage measurements: all measurements of simulated corpora, age and sex of real ones, the same bytes on every run."""

import numpy as np
import polars as pl
import pytest
from support.example_task import make_index

from cgdmer import embeddings, paths, settings, tables
from cgdmer.errors import DataError
from cgdmer.evaluation import simulated_truth
from cgdmer.evaluation.intervals import MeasurementResult
from cgdmer.files import read_json, write_json
from cgdmer.stages.measurements import measurements

RECORDS = 240
CORPORA = {"csn": settings.Corpus(records=RECORDS, seed=14), "cpsc2018": settings.Corpus()}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A simulated CSN whose features are its heart rate, and a real CPSC2018."""
    monkeypatch.chdir(tmp_path)
    cases = list(simulated_truth.cases("csn", CORPORA["csn"]))
    sexes = {"sex": [case.sex for _, _, case in cases], "age": [case.age for _, _, case in cases]}
    names = pl.DataFrame({"id": [name for name, *_ in cases], "patient": [str(number) for number in range(RECORDS)]})
    frame = make_index(RECORDS).with_columns(names["id"], names["patient"])
    write("csn", frame.with_columns(**{k: pl.Series(v) for k, v in sexes.items()}), "simulate")
    ages = np.random.default_rng(1).uniform(20, 80, RECORDS)
    sex = ["male" if age > 50 else "female" for age in ages]
    write("cpsc2018", make_index(RECORDS).with_columns(age=pl.Series(ages), sex=pl.Series(sex)), "local")
    draw = np.random.default_rng(0)
    for source, first in (("csn", [60 / case.heart_rate for *_, case in cases]), ("cpsc2018", ages)):
        index = tables.read(paths.index(source)).with_row_index()
        kept = index.filter(pl.col("split") != tables.UNASSIGNED)
        features = draw.normal(size=(RECORDS, 3)).astype(np.float32)
        features[:, 0] = first
        store("cgdmer", source, kept, {"pooled": features, "shared": features, "aligned": features}, 0, 1)
        for weights in range(2):
            store("random", source, kept, {"pooled": features[:, 1:], "shared": features[:, 1:]}, weights, 2)


def write(source, frame, way):
    tables.write(frame, paths.index(source))
    write_json(paths.raw(source) / "manifest.json", {"way": way})


def store(encoder, source, kept, features, weights, sets):
    rows = kept["index"].to_numpy()
    chosen = {name: matrix[rows] for name, matrix in features.items()}
    embeddings.write(
        paths.embeddings(encoder, source, weights), kept["id"].to_list(), chosen, {"sets_of_weights": sets}
    )


def run(benchmarks):
    matrix = settings.Matrix(sources=benchmarks, benchmarks=benchmarks, encoders=["cgdmer"], controls=["random"],
                             probed=["cgdmer", "random"])  # fmt: skip
    measurements(corpora=CORPORA, matrix=matrix, probe=settings.Probe(bootstrap=50))
    return MeasurementResult.from_json(read_json(paths.measurements()))


def test_simulated_records_are_measured_and_real_ones_have_age_and_sex(project):
    result = run(["csn", "cpsc2018"])
    first = paths.measurements().read_bytes()
    assert run(["csn", "cpsc2018"]) == result
    assert paths.measurements().read_bytes() == first
    assert result.sources == {"csn": "simulator", "cpsc2018": "metadata"}
    rr, age = result.measurements["rr"], result.measurements["age"]
    assert set(rr.encoders["cgdmer"]) == {"pooled", "shared"}
    assert set(rr.encoders["random"]) == {"pooled"}  # of several sets of weights only this
    assert len(rr.encoders["random"]["pooled"].alpha) == 2
    assert rr.n_test < age.n_test
    assert rr.encoders["cgdmer"]["pooled"].r2.mean > 0.4 > rr.encoders["random"]["pooled"].r2.mean + 0.3
    assert "pr" in result.measurements


def test_of_a_real_corpus_alone_age_and_sex_are_left(project):
    result = run(["cpsc2018"])
    assert set(result.measurements) == {"age", "male"}
    assert result.measurements["age"].encoders["cgdmer"]["pooled"].r2.low > 0.99
    assert result.measurements["male"].encoders["cgdmer"]["pooled"].error.mean > 0.95


def test_features_of_other_records_are_refused(project):
    frame = tables.read(paths.index("cpsc2018"))
    tables.write(frame.with_columns(split=pl.lit("train")), paths.index("cpsc2018"))
    with pytest.raises(DataError, match="have no features"):
        run(["cpsc2018"])
