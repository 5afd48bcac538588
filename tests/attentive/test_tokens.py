"""Tokens of every encoder that has them: their mean, as the encoder pools them, is the encoder's own feature."""

import time
from functools import cache

import numpy as np
import pytest
import torch
from support import example_pool as example
from support import peers

from cgdmer import encoders, settings
from cgdmer.attentive import tokens
from cgdmer.encoders import Setup, published
from cgdmer.encoders.batches import CPU_BATCH
from cgdmer.errors import ConfigError
from cgdmer.models import weights

FORM = settings.Signal(fs=100.0, seconds=10.0)
SHORT = 2
"""The record that is half padding."""
BY_MEAN = ("ecg_fm", "ecg_jepa", "ecgfounder", "merl_resnet18", "random_resnet18")
"""Networks whose feature is the plain mean of these tokens."""


@pytest.fixture(scope="module")
def signal():
    """Three records (3, 12, 1000) in mV with beats that a detector finds, and their valid samples."""
    draw, time = np.random.default_rng(0), np.arange(1000) / 100
    beats = sum(np.exp(-(((time - peak) / 0.03) ** 2)) for peak in np.arange(0.4, 10, 0.8))
    values = draw.uniform(0.3, 1.5, (3, 12, 1)) * beats + 0.02 * draw.normal(size=(3, 12, 1000))
    values[SHORT, :, 500:] = 0
    return values.astype(np.float32), np.array([1000, 1000, 500], np.int32)


@pytest.fixture(scope="module")
def open_encoder(tmp_path_factory):
    """Open a small network of a name, with drawn weights."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        peers.shrink(patch)

        @cache
        def opened(name):
            files = {}
            if name in published.names():
                peers.write_weights(name, folder / name)
                files = {name: settings.WeightsFile(file=str(folder / name))}
            return encoders.load(name, Setup(FORM, example.MODEL, 0, weights_files=files))

        yield opened


@pytest.mark.parametrize("name", [*tokens.LAYERS, "random"])
def test_the_tokens_are_what_the_encoder_pools(name, signal, open_encoder):
    encoder = open_encoder(name)
    made, features = tokens.tokens_of(encoder, *signal), encoder.encode(signal[0], valid=signal[1])["pooled"]
    assert len(made) == 3
    assert {one.dtype for one in made} == {np.dtype(np.float32)}
    means = np.stack([one.mean(0) for one in made])
    if name in BY_MEAN:
        np.testing.assert_allclose(means, features, atol=1e-4)
    elif name == "merl_vit_tiny":  # the mean first, then the norm
        norm = encoder.network.norm
        np.testing.assert_allclose(norm(torch.from_numpy(means)).detach(), features, atol=1e-4)
    elif name == "heartlang":  # its feature is the class token, which is the first
        np.testing.assert_allclose(np.stack([one[0] for one in made]), features, atol=1e-4)
        assert len(made[SHORT]) < 0.7 * len(made[0]) < 0.7 * (1 + 256)
    elif name == "melp":  # a pool of its own with learned queries
        assert means.shape == (3, 768)
    else:  # pooled features begin with the mean, for shared and for specific features
        shared, specific = np.split(features, 2, axis=1)
        width = example.MODEL.width
        np.testing.assert_allclose(means, np.hstack([shared[:, :width], specific[:, :width]]), atol=1e-4)
        assert len(made[SHORT]) == len(made[0]) / 2


def test_windows_of_a_record_give_its_tokens_one_after_the_other(signal, open_encoder):
    encoder = open_encoder("ecg_fm")
    values, valid = signal
    made = tokens.tokens_of(encoder, values, valid)
    assert len(made[0]) == 2 * len(made[SHORT])  # ten seconds are two windows
    np.testing.assert_allclose(made[1], tokens.tokens_of(encoder, values[1:2], valid[1:2])[0], atol=1e-4)


def test_a_trained_model_gives_its_tokens_and_one_without_specific_features_the_shared_ones(signal, tmp_path):
    objective = settings.Objective(
        contrastive=0.0, ecg_reconstruction=0.0, report_reconstruction=0.0, orthogonality=0.0
    )
    for name, wanted in (("all", settings.Objective()), ("shared", objective)):
        model = weights.create(example.MODEL, settings.Masking(kind="none"), wanted, FORM, ["x"], seed=0)
        weights.save(tmp_path / name, model, FORM, {})
        encoder = encoders.load("cgdmer", Setup(FORM, example.MODEL, folder=tmp_path / name))
        made = tokens.tokens_of(encoder, *signal)
        assert made[0].shape[1] == example.MODEL.width * (2 if name == "all" else 1)


def test_tokens_stay_with_their_records_when_batches_are_encoded_side_by_side(signal, open_encoder, monkeypatch):
    encoder, (values, valid) = open_encoder("random"), signal
    many, counts = np.tile(values, (2 * CPU_BATCH, 1, 1)), np.tile(valid, 2 * CPU_BATCH)
    alone = [tokens.tokens_of(encoder, values[[row]], valid[[row]])[0] for row in range(len(values))]
    encode, pauses = encoder._encode, iter([0.4, 0.2, *[0.0] * 20])

    def slow_at_first(*arguments):
        time.sleep(next(pauses))
        return encode(*arguments)

    monkeypatch.setattr(encoder, "_encode", slow_at_first)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        made = tokens.tokens_of(encoder, many, counts)
    finally:
        torch.set_num_threads(threads)
    for row, one in enumerate(made):
        np.testing.assert_allclose(one, alone[row % len(alone)], atol=1e-5)


def test_every_encoder_gives_tokens_or_is_refused_by_an_error_that_names_those_that_do():
    assert set(encoders.names()) - {*tokens.WITH_TOKENS} == {"handcrafted"}
    assert {*tokens.WITH_TOKENS} <= set(encoders.names())
    with pytest.raises(ConfigError, match="'handcrafted' gives no tokens") as raised:
        tokens.check_tokens(["cgdmer", "handcrafted"])
    assert raised.value.allowed == ", ".join(tokens.WITH_TOKENS)
