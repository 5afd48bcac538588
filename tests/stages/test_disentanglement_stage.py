"""Stage disentanglement with an untrained model: same bytes on every run; a model without specific features."""

import pytest
from support.example_task import TINY_MODEL
from support.shard_folder import write_folder

from cgdmer import paths, settings
from cgdmer.files import read_json, write_json
from cgdmer.models import weights
from cgdmer.stages import disentanglement as stage

SETTINGS = settings.Disentanglement(train_records=30, test_records=12, min_reports=1, bootstrap=20)


def write_model(objective, model=TINY_MODEL):
    signal = settings.Signal(seconds=1.0)
    words = [f"report {i}" for i in range(5)]
    network = weights.create(model, settings.Masking(), objective, signal, words, seed=0)
    weights.save(paths.MODEL, network, signal, {})


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "BATCH", 7)
    write_folder(paths.shards("ptb_xl"), [40, 40])
    write_json(paths.PRETRAINING_SET, {"sources": {"ptb_xl": {}}})


def test_result_repeats_to_the_byte_and_names_its_records(project):
    write_model(settings.Objective())
    stage.disentanglement(disentanglement=SETTINGS)
    first = paths.disentanglement().read_bytes()
    stage.disentanglement(disentanglement=SETTINGS)
    assert paths.disentanglement().read_bytes() == first
    result = read_json(paths.disentanglement())
    assert result["n"]["measured"] == 12
    assert set(result["content"]) == {"shared", "specific", "pooled", "shared minus specific"}
    assert set(result["reconstruction"]) == {"both", "shared", "specific", "neither", "shared minus specific"}


def test_a_model_of_one_part_has_nothing_to_compare(project):
    write_model(settings.Objective(orthogonality=0.0), TINY_MODEL.model_copy(update={"disentangled": False}))
    stage.disentanglement(disentanglement=SETTINGS)
    result = read_json(paths.disentanglement())
    assert set(result["content"]) == {"shared", "pooled"}
    assert result["reconstruction"] == {}
