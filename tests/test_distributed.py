"""Two gloo processes give the curve and the weights of one, whatever the batch sizes leave over."""

import contextlib
import csv
import os

import pytest
import torch
from safetensors.torch import load_file
from support import example_pool as example

from cgdmer import distributed, paths, settings
from cgdmer.errors import ConfigError
from cgdmer.stages.pretrain import pretrain

TRAIN = settings.Train(epochs=2, batch=25, accumulate=2, held_out=10, log_steps=1, checkpoint_steps=100)
OBJECTIVE = settings.Objective(cross_reconstruction=0.3, orthogonality_kind="cross_covariance")
TOLERANCE = 2e-4
"""Of every number in the curve: sums are taken in another order."""


def train(folder, accumulate=2, **terms):
    example.write(folder, records=95)
    with contextlib.chdir(folder):
        pretrain(
            model=example.MODEL, masking=settings.Masking(), objective=OBJECTIVE.model_copy(update=terms),
            augmentation=settings.Augmentation(), train=TRAIN.model_copy(update={"accumulate": accumulate}),
            signal=example.SIGNAL,
        )  # fmt: skip
    with (folder / paths.CURVE).open() as stream:
        curve = [[float(value) for value in row.values()] for row in csv.DictReader(stream)]
    return torch.tensor(curve), load_file(folder / paths.MODEL / "weights.safetensors")


@pytest.mark.parametrize(("accumulate", "kind"), [(2, "cross_covariance"), (3, "hsic"), (1, "cosine")])
def test_two_processes_with_micro_batches_train_like_one_without(tmp_path, monkeypatch, accumulate, kind):
    one, weights = train(tmp_path / "one", 1, orthogonality_kind=kind)
    monkeypatch.setenv("CGDMER_DEVICES", "2")
    two, both = train(tmp_path / "two", accumulate, orthogonality_kind=kind)
    assert torch.allclose(one, two, rtol=TOLERANCE, atol=TOLERANCE)
    assert all(torch.allclose(weights[name], both[name], atol=5e-3) for name in weights)


def fail():
    if os.environ["RANK"] == "1":
        raise ConfigError("a wrong setting")


def test_a_process_that_fails_ends_all_with_its_kind_of_error():
    with pytest.raises(ConfigError, match="exit code 2"):
        distributed.launch(2, fail)


def test_devices_and_their_number_come_from_the_environment(monkeypatch):
    assert distributed.process_count() == 1 or torch.cuda.is_available()
    monkeypatch.setenv("CGDMER_DEVICES", "3")
    assert distributed.process_count() == 3
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert distributed.process_count() == 1
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.setenv("CGDMER_DEVICES", "two")
    with pytest.raises(ConfigError, match="CGDMER_DEVICES=two"):
        distributed.process_count()


@pytest.mark.parametrize("device", ["tpu!", "cuda:0"])
def test_a_device_that_is_not_there_is_named(device, monkeypatch):
    if device.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    monkeypatch.setenv("CGDMER_DEVICE", device)
    with pytest.raises(ConfigError, match="CGDMER_DEVICE"):
        distributed.choose_device()
