"""Models as files: strict, deterministic, no pickle."""

import json

import pytest
import torch
from support import example_pool as example

from cgdmer.errors import DataError
from cgdmer.models import weights
from cgdmer.settings import Masking, Objective


def build(seed=0, **terms):
    _, reports, _ = example.signals(20)
    return weights.create(example.MODEL, Masking(), Objective(**terms), example.SIGNAL, reports, seed)


def test_a_saved_model_comes_back_and_says_what_it_is(tmp_path):
    model = build()
    weights.save(tmp_path, model, example.SIGNAL, {"records": 20})
    again, signal, facts = weights.load(tmp_path)
    assert (signal, facts) == (example.SIGNAL, {"records": 20})
    assert again.settings == example.MODEL
    assert not again.training
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "tokenizer.json", "weights.safetensors"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        weights.save(tmp_path / name, build(seed), example.SIGNAL, {})
    content = {name: (tmp_path / name / weights.WEIGHTS).read_bytes() for name in "abc"}
    assert content["a"] == content["b"] != content["c"]


def test_a_model_without_reports_needs_no_tokenizer(tmp_path):
    weights.save(tmp_path, build(contrastive=0.0, report_reconstruction=0.0), example.SIGNAL, {})
    model, _, _ = weights.load(tmp_path)
    assert model.report_encoder is None


@pytest.mark.parametrize("damage", ["missing", "torn", "other", "config"])
def test_damage_is_a_data_error_that_says_how_to_fix_it(tmp_path, damage):
    weights.save(tmp_path, build(), example.SIGNAL, {})
    path = tmp_path / weights.WEIGHTS
    if damage == "missing":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "other":
        weights.save(tmp_path / "other", build(report_reconstruction=0.0), example.SIGNAL, {})
        path.write_bytes((tmp_path / "other" / weights.WEIGHTS).read_bytes())
    else:
        config = json.loads((tmp_path / weights.CONFIG).read_text())
        (tmp_path / weights.CONFIG).write_text(json.dumps(config | {"model": {"widht": 3}}))
    with pytest.raises(DataError, match="dvc checkout"):
        weights.load(tmp_path)
