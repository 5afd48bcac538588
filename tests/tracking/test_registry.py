"""The registry on a database of its own: registering once, aliases and tags, downloads, and errors that help."""

from pathlib import Path

import numpy as np
import pytest
from support import example_report, registered
from support.registered import SIGNAL, begin

from cgdmer import paths, tables
from cgdmer.errors import ConfigError, DataError
from cgdmer.tracking import aliases, registry, server

pytestmark = [pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]


@pytest.fixture
def example(here):
    """A model folder with weights, and what its encoders make of a signal and a report."""
    return registered.example()


def test_a_run_is_registered_once_as_candidate_and_reloads_to_the_same_features(example):
    run = begin()
    versions = registry.register(run, paths.MODEL, example, {"dvc_lock": "ab"}, "the card")
    assert versions == {registry.ECG: "1", registry.REPORT: "1"}
    assert registry.register(run, paths.MODEL, example, {"dvc_lock": "cd"}, "the card") == versions
    version = server.connect().get_model_version(registry.ECG, "1")
    assert (version.tags["dvc_lock"], version.description) == ("cd", "the card")
    assert aliases.alias(registry.ECG, registry.CANDIDATE).version == "1"
    assert aliases.alias(registry.ECG, aliases.CHAMPION) is None
    assert registry.reload_difference(f"models:/{registry.ECG}/1") == 0.0
    loaded = registry.load_encoder(f"models:/{registry.ECG}@{registry.CANDIDATE}").encode(SIGNAL)
    assert all(np.array_equal(loaded[name], value) for name, value in example.features.items())


def test_a_feature_that_is_not_a_number_is_no_small_difference(example, monkeypatch):
    registry.register(begin(), paths.MODEL, example, {}, "the card")

    class Broken:
        def encode(self, signal):
            last = sorted(example.features)[-1]
            return {name: value * (np.nan if name == last else 1.0) for name, value in sorted(example.features.items())}

    monkeypatch.setattr(registry, "open_folder", lambda folder: Broken())
    assert not registry.reload_difference(f"models:/{registry.ECG}/1") <= registry.TOLERANCE


def test_a_model_that_does_not_exist_is_named_with_what_may_be_asked_for():
    with pytest.raises(ConfigError, match="nothing-of-the-kind") as caught:
        registry.load_encoder("models:/nothing-of-the-kind/1")
    assert f"models:/{registry.ECG}@champion" in caught.value.allowed
    assert "publish" in caught.value.fix


def test_saved_predictions_are_fetched_by_task_and_their_absence_is_an_error(here):
    run = begin()
    frame = example_report.index().select("id", "split")
    for task in ("csn", "cpsc2018"):
        tables.write(frame, here / f"{task}.parquet")
        server.connect().log_artifact(run, str(here / f"{task}.parquet"), "predictions")
    files = registry.predictions(run, Path(here / "fetched"), "predictions")
    assert list(files) == ["cpsc2018", "csn"]
    assert tables.read(files["csn"]).equals(frame)
    server.connect().log_text(begin_empty := begin(), "nothing", "predictions/readme.txt")
    with pytest.raises(DataError, match="has no predictions") as caught:
        registry.predictions(begin_empty, Path(here / "again"), "predictions")
    assert "publish" in caught.value.fix
