"""Stage retrieval with an untrained model: only held-out records, and the same draw and bytes on every run."""

import pytest
from support.example_task import TINY_MODEL
from support.shard_folder import write_folder

from cgdmer import paths, settings
from cgdmer.errors import DataError
from cgdmer.files import read_json, write_json
from cgdmer.models import weights
from cgdmer.stages import retrieval as stage

SETTINGS = settings.Retrieval(max_records=20, recall_at=[1, 5])


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "BATCH", 7)
    write_folder(paths.shards("ptb_xl"), [40, 40])
    write_json(paths.PRETRAINING_SET, {"sources": {"ptb_xl": {}}})
    write_json(paths.raw("ptb_xl") / "manifest.json", {"way": "simulate"})
    signal = settings.Signal(seconds=1.0)
    words = [f"report {i}" for i in range(5)]
    network = weights.create(TINY_MODEL, settings.Masking(), settings.Objective(), signal, words, seed=0)
    weights.save(paths.MODEL, network, signal, {})


def test_result_repeats_to_the_byte_and_reads_well(project):
    stage.retrieval(retrieval=SETTINGS)
    first = paths.retrieval().read_bytes()
    stage.retrieval(retrieval=SETTINGS)
    assert paths.retrieval().read_bytes() == first
    result = read_json(paths.retrieval())
    assert (result["sources"], result["n"], result["distinct_reports"]) == (["ptb_xl"], 20, 5)
    assert set(result["ecg_to_report"]["recall"]) == set(result["report_to_ecg"]["recall"]) == {"1", "5"}
    assert 1 <= result["ecg_to_report"]["median_rank"] <= 20
    example = result["examples"][0]
    assert len(example["nearest"]) == 3
    assert [near["right"] for near in example["nearest"]].count(True) <= 1


@pytest.mark.parametrize(
    ("examples", "way", "count"), [("auto", "local", 0), ("always", "local", 4), ("never", "simulate", 0)]
)
def test_reports_of_people_are_no_examples_unless_asked(project, examples, way, count):
    write_json(paths.raw("ptb_xl") / "manifest.json", {"way": way})
    stage.retrieval(retrieval=SETTINGS.model_copy(update={"examples": examples}))
    assert len(read_json(paths.retrieval())["examples"]) == count


def test_no_held_out_record_is_an_error_that_names_the_setting(project, monkeypatch):
    monkeypatch.setattr(stage, "HELD_OUT", "val")
    with pytest.raises(DataError, match="no val record") as caught:
        stage.retrieval(retrieval=SETTINGS)
    assert "index.test_fraction" in caught.value.fix
