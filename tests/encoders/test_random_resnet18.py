"""The convolutional random control: its seeds, its input and its activations."""

import numpy as np
import pytest
import torch
from support import example_pool as example
from torch import nn

from cgdmer import encoders, settings
from cgdmer.encoders import Setup
from cgdmer.encoders.merl_resnet18 import Block

FORM = settings.Signal(fs=100.0, seconds=5.0)


def load(seed, form=FORM):
    return encoders.load("random_resnet18", Setup(form, example.MODEL, seed))


@pytest.fixture(scope="module")
def signal():
    return np.random.default_rng(0).normal(size=(4, 12, 500)).cumsum(axis=2).astype(np.float32) / 10


def test_a_seed_gives_its_weights_and_another_seed_others(signal):
    first, same, other = (load(seed).encode(signal)["pooled"] for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.allclose(first, other, rtol=0.1)
    assert first.shape == (4, 512)


def test_leads_are_standardised_so_gain_and_offset_do_not_matter(signal):
    gains = np.random.default_rng(1).uniform(0.2, 5, (1, 12, 1)).astype(np.float32)
    features = load(0).encode(signal)["pooled"]
    np.testing.assert_allclose(load(0).encode(signal * gains + 1)["pooled"], features, rtol=1e-3, atol=1e-3)


def test_signals_of_another_rate_are_brought_to_100_hz():
    time = np.arange(0, 5, 0.002)
    wave = np.sin(2 * np.pi * 1.3 * time) + np.sin(2 * np.pi * np.arange(1, 13)[:, None] * 0.7 * time)
    fast = load(0, settings.Signal(fs=500.0, seconds=5.0)).encode(wave[None].astype(np.float32))["pooled"]
    slow = load(0).encode(wave[None, :, ::5].astype(np.float32))["pooled"]
    assert np.corrcoef(fast[0], slow[0])[0, 1] > 0.99


def test_no_layer_is_silent(signal):
    """Both paths of every residual block carry the signal, and records still differ at the end."""
    encoder, shares = load(0), []

    def note(block, inputs, _):
        with torch.no_grad():
            inner = block.bn2(block.conv2(nn.functional.relu(block.bn1(block.conv1(inputs[0])))))
        shares.append((inner.std() / block.shortcut(inputs[0]).std()).item())

    for module in encoder.network.modules():
        if isinstance(module, Block):
            module.register_forward_hook(note)
    features = encoder.encode(signal)["pooled"]
    assert len(shares) == 8
    assert 0.2 < min(shares) < max(shares) < 5
    silent = (features == 0).all(axis=0)
    assert silent.mean() < 0.1
    assert (np.ptp(features[:, ~silent], axis=0) > 0).all()
