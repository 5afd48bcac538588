"""Stage pretrain: what it writes, what it refuses, and that its outputs repeat to the byte."""

import contextlib
import json

import numpy as np
import pytest
import torch
from support import example_pool as example

import cgdmer
from cgdmer import paths, settings
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import read_json, write_json
from cgdmer.stages import pretrain as stage
from cgdmer.stages.pretrain import pretrain
from cgdmer.training import Fitted, World

TRAIN = settings.Train(epochs=2, batch=24, held_out=8)


def run(folder, **change):
    sections = {
        "model": example.MODEL,
        "masking": settings.Masking(),
        "objective": settings.Objective(),
        "augmentation": settings.Augmentation(),
        "train": TRAIN,
        "signal": example.SIGNAL,
    }
    with contextlib.chdir(folder):
        pretrain(**(sections | change))


def written(folder):
    files = [*(folder / paths.MODEL).iterdir(), *(folder / paths.CURVE).parent.iterdir()]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    example.write(folder)
    run(folder)
    return folder


def test_it_writes_weights_config_tokenizer_curve_and_summary(trained):
    assert sorted(written(trained)) == [
        "config.json", "curve.csv", "summary.json", "tokenizer.json", "weights.safetensors",
    ]  # fmt: skip
    header = (trained / paths.CURVE).read_text().splitlines()[0].split(",")
    assert header[:4] == ["step", "epoch", "lr", "loss"]
    assert not {"records_per_s", "wait_share"} & set(header)
    summary = json.loads((trained / "reports/pretrain/summary.json").read_text())
    assert (summary["records"], summary["held_out"], len(summary["epochs"])) == (72, 8, 2)
    assert "records_per_s" in read_json(trained / ".cgdmer/pretrain/speed.json")
    assert not (trained / paths.scratch("pretrain")).exists()


def test_records_with_exchanged_electrodes_and_later_beginnings_train_another_encoder(trained, tmp_path, monkeypatch):
    changed = settings.Augmentation(exchanged_electrodes=0.3, shift=0.5)
    for workers in ("1", "3"):
        folder = tmp_path / workers
        folder.mkdir()
        example.write(folder)
        monkeypatch.setenv("CGDMER_WORKERS", workers)
        run(folder, augmentation=changed)
    assert written(tmp_path / "1") == written(tmp_path / "3")
    assert written(tmp_path / "1")["weights.safetensors"] != written(trained)["weights.safetensors"]


def test_a_rank_that_does_not_write_deletes_nothing_either(tmp_path, monkeypatch):
    """Under torchrun, other ranks end while rank 0 still reads its log and saves the weights."""
    example.write(tmp_path)
    monkeypatch.setattr(stage, "join", lambda: World(rank=1, size=2, device=torch.device("cpu")))
    monkeypatch.setattr(stage, "fit", lambda *_, **__: Fitted(6, [], [], {}))  # what it returns on other ranks
    checkpoint = tmp_path / paths.scratch("pretrain") / "run" / "step-1.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"of the first process")
    run(tmp_path)
    assert checkpoint.exists()
    assert not (tmp_path / paths.MODEL).exists()


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(trained, tmp_path, monkeypatch):
    example.write(tmp_path)
    monkeypatch.setenv("CGDMER_WORKERS", "4")
    run(tmp_path)
    assert written(tmp_path) == written(trained)


def test_another_seed_gives_other_weights(trained, tmp_path):
    example.write(tmp_path)
    run(tmp_path, train=TRAIN.model_copy(update={"seed": 8}))
    assert written(tmp_path)["weights.safetensors"] != written(trained)["weights.safetensors"]


def test_the_encoder_opens_and_says_what_it_takes(trained):
    encoder = cgdmer.load_encoder(trained / paths.MODEL)
    assert (encoder.fs, encoder.seconds, encoder.unit, len(encoder.leads)) == (50.0, 4.0, "mV", 12)
    features = encoder.encode(np.random.default_rng(0).normal(size=(2, 12, 200)).astype(np.float32))
    assert {name: value.shape[1] for name, value in features.items()} == encoder.dims


def test_without_a_term_that_reads_reports_none_are_needed(tmp_path):
    example.write(tmp_path)
    run(tmp_path, objective=settings.Objective(contrastive=0.0, report_reconstruction=0.0))
    assert "tokenizer.json" not in written(tmp_path)


def test_pool_and_shards_must_fit_each_other(tmp_path):
    with pytest.raises(DataError, match=r"pretraining_set\.json is missing"):
        run(tmp_path)
    example.write(tmp_path)
    description = read_json(tmp_path / paths.PRETRAINING_SET)
    description["sources"]["mimic_iv_ecg"]["digest"] = "0" * 64
    write_json(tmp_path / paths.PRETRAINING_SET, description)
    with pytest.raises(DataError, match="not those that"):
        run(tmp_path)


def test_shards_of_another_rate_than_the_settings_are_refused(tmp_path):
    example.write(tmp_path)
    with pytest.raises(DataError, match=r"50\.0 Hz"):
        run(tmp_path, signal=settings.Signal(fs=100.0, seconds=4.0))


def test_a_missing_report_encoder_is_found_before_any_shard_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "open_pretraining_set", lambda signal: pytest.fail("the shards were opened"))
    model = example.MODEL.model_copy(update={"text": "nobody/no-such-model"})
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        run(tmp_path, model=model)
