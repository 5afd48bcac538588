"""Stage zero_shot with an untrained model: its files, prompts by name and hash, and clear errors."""

import numpy as np
import pytest
from support.example_task import TINY_MODEL, make_features, make_index

from cgdmer import embeddings, paths, settings, tables
from cgdmer.errors import DataError
from cgdmer.evaluation.zero_shot import STATEMENTS
from cgdmer.files import read_json, sha256
from cgdmer.models import weights
from cgdmer.probing import seeds
from cgdmer.stages.zero_shot import zero_shot

SETTINGS = settings.ZeroShot(bootstrap=20)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["atrial fibrillation.", "normal ecg.", "st elevation.", "premature ventricular contractions."]
    network = weights.create(TINY_MODEL, settings.Masking(), settings.Objective(), settings.Signal(), words, seed=0)
    weights.save(paths.MODEL, network, settings.Signal(), {})
    index = make_index()
    tables.write(index, paths.index("cpsc2018"))
    store(index, aligned=make_features(index)[:, :8].copy())
    return index


def store(index, **features):
    embeddings.write(paths.embeddings("cgdmer", "cpsc2018"), index["id"].to_list(), features, {})


def test_result_names_its_prompts_and_repeats_to_the_byte(project):
    zero_shot("cpsc2018", zero_shot=SETTINGS)
    first = paths.zero_shot("cpsc2018").read_bytes()
    zero_shot("cpsc2018", zero_shot=SETTINGS)
    assert paths.zero_shot("cpsc2018").read_bytes() == first
    result = read_json(paths.zero_shot("cpsc2018"))
    assert result["prompts"]["sha256"] == sha256(STATEMENTS)
    assert result["prompts"]["texts"]["AFIB"] == ["atrial fibrillation"]
    assert result["low"] <= result["mean"] <= result["high"]
    assert set(result["per_class"]) == set(result["classes"])


def test_the_saved_scores_give_the_result_again(project):
    zero_shot("cpsc2018", zero_shot=SETTINGS)
    result, saved = read_json(paths.zero_shot("cpsc2018")), tables.read(paths.zero_shot_predictions("cpsc2018"))
    again = seeds.estimate(seeds.trainings([saved], SETTINGS.bootstrap)).rounded()
    assert again.to_json() == {name: result[name] for name in ("mean", "low", "high")}
    assert saved.height == result["n_test"]


def test_an_ensemble_is_another_condition(project):
    zero_shot("cpsc2018", zero_shot=SETTINGS)
    plain = read_json(paths.zero_shot("cpsc2018"))
    zero_shot("cpsc2018", zero_shot=SETTINGS.model_copy(update={"ensemble": True}))
    several = read_json(paths.zero_shot("cpsc2018"))
    assert several["prompts"]["ensemble"] != plain["prompts"]["ensemble"]
    assert several["per_class"] != plain["per_class"]


def test_published_prompts_that_are_not_here_say_how_to_get_them(project):
    with pytest.raises(DataError, match=r"CKEPE_prompt\.json is missing") as caught:
        zero_shot("cpsc2018", zero_shot=SETTINGS.model_copy(update={"prompts": "ckepe"}))
    assert "protocol" in caught.value.fix


def test_an_encoder_without_reports_is_refused(project):
    store(project, shared=np.ones((project.height, 8), np.float32))
    with pytest.raises(DataError, match="no 'aligned' features") as caught:
        zero_shot("cpsc2018", zero_shot=SETTINGS)
    assert "objective.contrastive" in caught.value.fix
