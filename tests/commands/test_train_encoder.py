"""`cgdmer train-encoder`: it needs its profile alone, resumes to the same bytes, and refuses its own test records."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from support import example_pool as example
from support import example_recordings
from support.interruption import interrupted_after_checkpoints

import cgdmer
from cgdmer import paths, settings, stage_code
from cgdmer.commands import train_encoder, training_code
from cgdmer.errors import ConfigError, DataError

pytestmark = pytest.mark.xdist_group("train_encoder")

ROOT = Path(__file__).resolve().parents[2]
SIMULATED = {"records": 96, "seed": 101, "pool": 64, "passes": 2}
OVERLAY = {
    "pretraining_set": {"sources": [], "simulated": SIMULATED},
    "model": example.MODEL.model_dump(),
    "signal": {"fs": 50.0, "seconds": 4.0, "high": 20.0},
    "objective": {"statements": 0.5, "measurements": 1.0},
    "train": {"epochs": 2, "batch": 16, "held_out": 8, "checkpoint_steps": 4, "log_steps": 2},
}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Draw few records for tokenizer and scale."""
    monkeypatch.setattr("cgdmer.streams.reference.RECORDS", 400)
    monkeypatch.setenv("CGDMER_WORKERS", "1")


def project(folder, **change):
    (folder / "params").mkdir(parents=True)
    shutil.copy(ROOT / "params/demo.yaml", folder / "params/demo.yaml")
    overlay = settings.merge(OVERLAY, change)
    (folder / "params/encoder.yaml").write_text(yaml.safe_dump(overlay))
    return folder


def written(folder):
    files = [*(folder / paths.BASE).iterdir(), *(folder / "reports/encoder").iterdir()]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = project(tmp_path_factory.mktemp("trained"))
    with pytest.MonkeyPatch.context() as patched, contextlib.chdir(folder):
        patched.setattr("cgdmer.streams.reference.RECORDS", 400)
        patched.setenv("CGDMER_WORKERS", "1")
        text = train_encoder.train()
    assert str(paths.BASE) in text
    return folder


def test_it_trains_a_model_that_says_what_it_was_trained_on(trained):
    files = written(trained)
    assert {"config.json", "weights.safetensors", "tokenizer.json", "curve.csv", "summary.json"} == set(files)
    facts = json.loads(files["config.json"])["facts"]
    assert facts["simulated"] | SIMULATED == facts["simulated"]
    assert (facts["recordings"], facts["steps"], facts["held_out"]) == ([], 12, 8)
    assert facts["records"] == 2 * 32 + 64
    assert set(facts["measurements"]) >= {"pr", "qrs", "qt"}
    assert cgdmer.load_encoder(trained / paths.BASE).fs == 50.0
    summary = json.loads(files["summary.json"])
    assert {"statements", "measurements"} <= set(summary["last"])
    assert not (trained / paths.MODEL).exists()
    assert not (trained / paths.scratch(train_encoder.NAME)).exists()


@pytest.mark.long
def test_a_killed_training_goes_on_to_the_same_bytes(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(project(tmp_path / "killed"))
    with interrupted_after_checkpoints(2):
        train_encoder.train()
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    train_encoder.train()
    assert written(Path()) == written(trained)


def code(*_):
    return "0" * 16


def longer():
    path = Path("params/encoder.yaml")
    path.write_text(yaml.safe_dump(settings.merge(settings.read(path), {"train": {"epochs": 3}})))


@pytest.mark.parametrize("changed", ["nothing", "settings", "code", "model", "no model"])
def test_a_finished_training_is_not_repeated_until_something_changes(trained, tmp_path, monkeypatch, changed):
    """A later step of `make encoder` can fail, and the same command goes on from there."""
    shutil.copytree(trained, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")

    def begin(*_):
        raise DataError("training begins")

    monkeypatch.setattr(train_encoder, "start", begin)
    if changed == "nothing":
        assert "was trained with these settings and this code already" in train_encoder.train()
        return
    if changed == "settings":
        longer()
    elif changed == "code":
        monkeypatch.setattr(training_code, "digest", code)
    elif changed == "model":
        (paths.BASE / "tokenizer.json").write_text("{}")
    else:
        shutil.rmtree(paths.BASE)
    with pytest.raises(DataError, match="training begins"):
        train_encoder.train()


def test_the_digest_of_the_code_covers_every_file_that_trains():
    run = {
        stage_code.file_of(name)
        for name in stage_code.reached({"cgdmer.stages.pretrain", "cgdmer.streams.training_data"})
    }
    covered = {file.relative_to(ROOT).as_posix() for file in training_code.files(training_code.TRAINING)}
    assert not run - covered
    assert "cgdmer/simulator/beat_shapes.json" in covered


def test_the_seed_of_a_corpus_is_refused(tmp_path, monkeypatch):
    seed = settings.load(ROOT / "params/demo.yaml").corpora["csn"].seed
    monkeypatch.chdir(project(tmp_path / "project", pretraining_set={"simulated": {"seed": seed}}))
    with pytest.raises(ConfigError, match="is the seed of csn"):
        train_encoder.train()


def test_corpora_are_refused(tmp_path, monkeypatch):
    sources = {"sources": ["mimic_iv_ecg"], "simulated": {"records": 0}}
    monkeypatch.chdir(project(tmp_path / "project", pretraining_set=sources))
    with pytest.raises(ConfigError, match="trains on simulated records"):
        train_encoder.train()


def test_the_shipped_profile_is_complete_and_sound(monkeypatch):
    monkeypatch.chdir(ROOT)
    config, _ = train_encoder.read()
    assert config.pretraining_set.simulated.records * config.train.epochs >= 100_000


def test_folders_of_recordings_are_read_once_and_named_in_the_model(tmp_path, monkeypatch):
    root = tmp_path / "raw"
    (root / "ours").mkdir(parents=True)
    for seed in range(6):
        example_recordings.wfdb(root / "ours", f"r{seed}", seed)
    change = {"unlabelled": {"folders": ["ours"], "share": 0.25}}
    monkeypatch.chdir(project(tmp_path / "project", pretraining_set=change, train={"epochs": 1}))
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(root))
    train_encoder.train()
    facts = json.loads((paths.BASE / "config.json").read_text())["facts"]
    assert facts["recordings"] == ["ours"]
    monkeypatch.setattr("cgdmer.commands.recordings_without_report._convert", lambda *_: pytest.fail("read again"))
    train_encoder.read()


@pytest.mark.parametrize(("root", "problem"), [(None, "is not set"), ("raw", "is no folder below")])
@pytest.mark.parametrize("whole", [False, True])
def test_a_folder_that_is_not_below_the_root_is_an_error(tmp_path, monkeypatch, root, problem, whole):
    for folder in ("elsewhere", "raw"):
        (tmp_path / folder).mkdir()
    change = {"unlabelled": {"folders": [str(tmp_path / "elsewhere") if whole else "absent"], "share": 0.25}}
    monkeypatch.chdir(project(tmp_path / "project", pretraining_set=change))
    monkeypatch.delenv("CGDMER_RAW_ROOT", raising=False)
    if root:
        monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / root))
    with pytest.raises(ConfigError, match=problem) as error:
        train_encoder.read()
    assert "export CGDMER_RAW_ROOT" in str(error.value)
