"""The stored numbers of an ablation: values, differences from the full method, and when they are stale."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.example_task import make_features, make_index

from cgdmer import embeddings, paths, settings, tables
from cgdmer.errors import DataError
from cgdmer.evaluation import ablations
from cgdmer.files import read_json, write_json, write_text
from cgdmer.stages.probe import probe

ROOT = Path(__file__).resolve().parents[2]
PROBE = settings.Probe(fractions=[0.1, 1.0], seeds=2, C=[0.01, 1.0], bootstrap=20)


def probed(features, index):
    """Leave what the stages leave below the working directory, with weights that are just bytes."""
    tables.write(index, paths.index("cpsc2018"))
    write_json(paths.index_facts("cpsc2018"), {"split": {"kind": "hash"}})
    embeddings.write(paths.embeddings("cgdmer", "cpsc2018"), index["id"].to_list(), {"pooled": features}, {})
    probe("cgdmer", "cpsc2018", probe=PROBE)
    write_text(paths.MODEL / "weights.safetensors", "weights")
    write_json(paths.zero_shot("cpsc2018"), {"mean": 0.7, "low": 0.6, "high": 0.8, "n_test": 50, "protocol": "cosine"})
    summary = {"last": {"loss": 2.0}, "epochs": [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.5}]}
    write_json(paths.CURVE.with_name("summary.json"), summary)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A full method here, and below `other` the results of one that lost half of its features."""
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "params/no_eyes.yaml", "# Ablation: sees nothing.\nobjective: {contrastive: 0.5}\n")
    write_text(tmp_path / "params/demo.yaml", "# The demo\nmatrix: {}\n")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    index = make_index()
    features = make_features(index)
    worse = features.copy()
    worse[:, :2] = np.random.default_rng(2).normal(size=(len(worse), 2))
    probed(worse, index)
    for name in ("reports", "data"):
        shutil.move(name, tmp_path / "other" / name)
    probed(features, index)
    return tmp_path


def test_only_profiles_that_say_so_are_ablations(project):
    assert ablations.descriptions() == {"no_eyes": "sees nothing"}


def test_the_projects_own_profiles_are_found(monkeypatch):
    monkeypatch.chdir(ROOT)
    expected = {"contrastive_only", "generative_only", "no_disentanglement", "no_orthogonality", "random_masking",
              "spatial_masking", "temporal_masking"}  # fmt: skip
    assert set(ablations.descriptions()) == expected
    assert all(ablations.descriptions().values())


def test_a_row_holds_values_paired_differences_zero_shot_and_losses(project):
    row = ablations.row("no_eyes", project / "other", aligned=True)
    here, there = (
        read_json(root / paths.probe("cgdmer", "cpsc2018"))["results"] for root in (project, project / "other")
    )
    for fraction in ("0.1", "1.0"):
        difference = row["differences"]["cpsc2018"][fraction]
        cell = row["auroc"]["cpsc2018"][fraction]["pooled"]
        assert cell["mean"] == there[fraction]["pooled"]["mean"]
        assert difference["mean"] == pytest.approx(cell["mean"] - here[fraction]["pooled"]["mean"], abs=2e-6)
        assert difference["low"] <= difference["mean"] <= difference["high"]
        assert (difference["n_test"], cell["protocol"]) == (50, "canonical")
    assert row["differences"]["cpsc2018"]["1.0"]["high"] < 0
    assert row["zero_shot"]["cpsc2018"]["mean"] == 0.7
    assert row["pretraining"]["held_out"]["loss"] == 2.5
    assert row["overrides"] == {"objective": {"contrastive": 0.5}}
    json.dumps(row, allow_nan=False)


def test_without_reports_the_zero_shot_files_of_the_full_method_are_not_taken(project):
    assert ablations.row("no_eyes", project / "other", aligned=False)["zero_shot"] == {}


def test_an_experiment_that_left_nothing_is_refused(project):
    with pytest.raises(DataError, match="no probe result"):
        ablations.row("no_eyes", project / "empty", aligned=True)


def test_a_row_goes_stale_with_the_method_the_profile_and_the_code(project, monkeypatch):
    write_json(ablations.file("no_eyes"), ablations.row("no_eyes", project / "other", aligned=True))
    assert ablations.read()["no_eyes"].stale is False

    weights = paths.MODEL / "weights.safetensors"
    for path, content in ((weights, "other"), (project / "params/no_eyes.yaml", "# Ablation\nmodel: {width: 8}\n")):
        before = path.read_text()
        path.write_text(content)
        assert ablations.read()["no_eyes"].stale is True, path
        path.write_text(before)
    (project / "params/no_eyes.yaml").write_text("# Ablation: in other words.\nobjective: {contrastive: 0.5}\n")
    assert ablations.read()["no_eyes"].stale is False
    monkeypatch.setattr(ablations, "code", lambda: {"models/ecg.py": "0"})
    assert ablations.read()["no_eyes"].stale is True


def test_the_code_behind_a_number_is_counted_and_the_reports_is_not():
    names = set(ablations.code(ROOT))
    counted = ("models/ecg.py", "training/loop.py", "objectives.py", "probing/linear_probe.py", "encoders/cgdmer.py")
    assert {f"cgdmer/{name}" for name in counted} <= names
    assert not any(name.startswith(("cgdmer/report/", "cgdmer/finetuning/")) for name in names)


def test_without_a_full_method_there_is_no_key(tmp_path, monkeypatch, project):
    (project / paths.MODEL / "weights.safetensors").unlink()
    with pytest.raises(DataError, match="make demo"):
        ablations.key("no_eyes")
