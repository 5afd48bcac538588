"""Stage probe: its files, the same bytes on every run, and a clear error for wrong input."""

import numpy as np
import pytest
from support.example_task import make_features, make_index

from cgdmer import embeddings, paths, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, with_digest, without_digest, write_json
from cgdmer.settings import Probe
from cgdmer.stages.probe import probe

SETTINGS = Probe(fractions=[0.1, 1.0], seeds=2, C=[0.01, 1.0], bootstrap=20)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Index and features of one source, from an encoder without `specific` features."""
    monkeypatch.chdir(tmp_path)
    index = make_index()
    tables.write(index, paths.index("cpsc2018"))
    write_json(paths.index_facts("cpsc2018"), {"split": {"kind": "hash"}})
    features = make_features(index)
    store(index["id"].to_list(), pooled=features, shared=features[:, :6].copy())
    return index


def store(ids, **features):
    embeddings.write(paths.embeddings("handcrafted", "cpsc2018"), ids, features, {})


def test_result_and_predictions_are_written_and_repeat_to_the_byte(project):
    probe("handcrafted", "cpsc2018", probe=SETTINGS)
    files = paths.probe("handcrafted", "cpsc2018"), paths.predictions("handcrafted", "cpsc2018")
    first = [file.read_bytes() for file in files]
    probe("handcrafted", "cpsc2018", probe=SETTINGS)
    assert [file.read_bytes() for file in files] == first
    result = read_json(files[0])
    assert (result["encoder"], result["split"], result["protocol"]) == ("handcrafted", "hash", "canonical")
    assert set(result["results"]) == {"0.1", "1.0"}
    assert set(result["results"]["1.0"]) == {"shared", "pooled"}


def test_all_sets_of_weights_of_a_control_are_probed(project):
    ids, features, rng = project["id"].to_list(), make_features(project), np.random.default_rng(0)
    for weights in range(3):
        noisy = (features + weights * rng.normal(size=features.shape)).astype(np.float32)
        folder = paths.embeddings("random", "cpsc2018", weights)
        embeddings.write(folder, ids, {"pooled": noisy}, {"sets_of_weights": 3})
    probe("random", "cpsc2018", probe=SETTINGS)
    cell = read_json(paths.probe("random", "cpsc2018"))["results"]["1.0"]["pooled"]
    assert len({row["mean"] for row in cell["by_weights"]}) == 3
    assert tables.read(paths.predictions("random", "cpsc2018"))["weights"].unique().to_list() == [0, 1, 2]
    assert not paths.fitted_probe("random", "cpsc2018").exists()
    probe("random", "cpsc2018", probe=SETTINGS.model_copy(update={"protocol": "merl", "fractions": [1.0]}))
    assert "by_weights" not in read_json(paths.probe("random", "cpsc2018"))["results"]["1.0"]["pooled"]


def test_a_published_protocol_is_named_and_says_whose_subset_it_used(project):
    chosen = SETTINGS.model_copy(update={"protocol": "melp", "fractions": [1.0]})
    probe("handcrafted", "cpsc2018", probe=chosen)
    result = read_json(paths.probe("handcrafted", "cpsc2018"))
    assert result["protocol"] == "melp"
    assert "not the published" in result["subset"]


def test_an_encoder_without_the_representation_is_refused(project):
    with pytest.raises(DataError, match="none of the representations specific") as caught:
        probe("handcrafted", "cpsc2018", probe=SETTINGS.model_copy(update={"representations": ["specific"]}))
    assert "pooled, shared" in caught.value.allowed


def test_features_that_are_not_numbers_stop_it_before_anything_is_written(project):
    folder = paths.embeddings("handcrafted", "cpsc2018")
    matrix = np.load(folder / "pooled.npy")
    matrix[5, 0] = np.nan
    np.save(folder / "pooled.npy", matrix)
    meta = without_digest(read_json(folder / "meta.json"))
    meta["files"]["pooled.npy"] = sha256(folder / "pooled.npy")
    write_json(folder / "meta.json", with_digest(meta))
    with pytest.raises(DataError, match="not finite"):
        probe("handcrafted", "cpsc2018", probe=SETTINGS)
    assert not paths.REPORTS.exists()


def test_features_of_another_corpus_are_refused(project):
    store([f"other{i}" for i in range(240)], pooled=make_features(project))
    with pytest.raises(DataError, match="other records"):
        probe("handcrafted", "cpsc2018", probe=SETTINGS)


def test_start_up_is_light():
    import subprocess
    import sys

    code = "import sys, cgdmer.stages.probe; print(*[m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []
