"""The key of a training run, and the parameters of its stage in dvc.yaml."""

from pathlib import Path

import pytest
import yaml
from support import example_pool as example

from cgdmer import settings
from cgdmer.training.pretraining_set import EXECUTION, key

ROOT = Path(__file__).resolve().parents[2]
OTHER = {
    "accumulate": 4,
    "compile": True,
    "gradient_checkpointing": True,
    "checkpoint_steps": 3,
    "checkpoint_minutes": 1.0,
    "keep": 7,
    "log_steps": 1,
}


def keyed(**change):
    train = settings.Train().model_copy(update=change)
    return key({"sources": {}}, example.MODEL, settings.Masking(), settings.Objective(), train, example.SIGNAL)


@pytest.mark.parametrize("name", EXECUTION)
def test_settings_that_change_no_result_are_not_in_the_key(name):
    assert keyed(**{name: OTHER[name]}) == keyed()


@pytest.mark.parametrize("change", [{"seed": 8}, {"batch": 33}, {"epochs": 9}, {"precision": "bf16"}, {"ema": 0.5}])
def test_settings_that_change_results_are_in_the_key(change):
    assert keyed(**change) != keyed()


def test_dvc_tracks_exactly_the_settings_of_the_key():
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["pretrain"]["params"]
    in_key = [f"train.{name}" for name in settings.Train.model_fields if name not in EXECUTION]
    assert sorted(declared) == sorted(["augmentation", "masking", "model", "objective", "signal", *in_key])
