"""The pretraining set lists validated corpora with their digests and refuses the others."""

import pytest
from support.shard_folder import write_folder

from cgdmer import paths
from cgdmer.errors import ConfigError, DataError, ValidationFailed
from cgdmer.files import read_json, write_json
from cgdmer.settings import PretrainingSet, Simulated
from cgdmer.settings.data import Unlabelled
from cgdmer.shards import open_shards
from cgdmer.stages.pretraining_set import pretraining_set


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source, sizes in (("mimic_iv_ecg", [9, 6]), ("ptb_xl", [10])):
        write_folder(paths.shards(source), sizes)
        write_json(paths.validation(source) / "result.json", {"success": True})


def test_names_what_may_be_trained_on(project):
    pretraining_set(pretraining_set=PretrainingSet(sources=["mimic_iv_ecg", "ptb_xl"]))
    sources = read_json(paths.PRETRAINING_SET)["sources"]
    assert sources["mimic_iv_ecg"] == {
        "digest": open_shards(paths.shards("mimic_iv_ecg")).digest,
        "records": 15,
        "trainable": sum(1 for row in range(15) if row % 4 < 2 and row % 3),
        "fs": 100.0,
        "samples": 100,
    }
    assert set(sources) == {"mimic_iv_ecg", "ptb_xl"}


@pytest.mark.parametrize("success", [False, None, "true"])
def test_a_source_that_did_not_pass_stops_the_pipeline(project, success):
    write_json(paths.validation("ptb_xl") / "result.json", {"success": success})
    with pytest.raises(ValidationFailed, match="ptb_xl did not pass validation"):
        pretraining_set(pretraining_set=PretrainingSet(sources=["mimic_iv_ecg", "ptb_xl"]))
    assert not paths.PRETRAINING_SET.exists()


def test_a_source_that_was_not_validated_is_named_with_the_command(project):
    (paths.validation("ptb_xl") / "result.json").unlink()
    with pytest.raises(DataError, match="dvc repro validate@ptb_xl"):
        pretraining_set(pretraining_set=PretrainingSet(sources=["ptb_xl"]))


def test_other_sources_are_not_looked_at(project):
    (paths.validation("ptb_xl") / "result.json").unlink()
    pretraining_set(pretraining_set=PretrainingSet(sources=["mimic_iv_ecg"]))
    assert set(read_json(paths.PRETRAINING_SET)["sources"]) == {"mimic_iv_ecg"}


def test_nothing_to_train_on_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(paths.shards("csn"), [1])
    write_json(paths.validation("csn") / "result.json", {"success": True})
    with pytest.raises(DataError, match="no record to pretrain on in csn"):
        pretraining_set(pretraining_set=PretrainingSet(sources=["csn"]))


def test_sources_of_another_form_do_not_mix(project):
    write_folder(paths.shards("csn"), [3], samples=50)
    write_json(paths.validation("csn") / "result.json", {"success": True})
    with pytest.raises(DataError, match="different form"):
        pretraining_set(pretraining_set=PretrainingSet(sources=["csn", "ptb_xl"]))


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("simulated.records", PretrainingSet(sources=[], simulated=Simulated(records=64))),
        ("unlabelled.folders", PretrainingSet(sources=["ptb_xl"], unlabelled=Unlabelled(folders=["code15"]))),
    ],
)
def test_what_only_train_encoder_reads_is_refused(project, name, chosen):
    with pytest.raises(ConfigError, match=f"{name} .* does not read") as refused:
        pretraining_set(pretraining_set=chosen)
    assert "train-encoder" in str(refused.value)
    assert not paths.PRETRAINING_SET.exists()
