"""Crops: where they begin, what is averaged, and that one crop of the whole record changes nothing."""

import numpy as np
import pytest

from cgdmer import settings
from cgdmer.encoders import Setup, load
from cgdmer.encoders.crops import Cropped, cut
from cgdmer.errors import ConfigError
from cgdmer.signals.leads import LEADS


class Sums:
    """Features are the sum of the valid samples, its square, and a unit vector."""

    name, fs, seconds, leads, unit, digest = "sums", 10.0, 8.0, LEADS, "mV", "abc"

    def __init__(self):
        self.dims = {"pooled": 2, "aligned": 2}

    def encode(self, signal, leads=None, valid=None):
        self.leads_read = leads
        total = np.array([record[:, :count].sum() for record, count in zip(signal, valid, strict=True)])
        angle = np.stack([np.cos(total), np.sin(total)], 1)
        return {"pooled": np.stack([total, total**2], 1).astype(np.float32), "aligned": angle.astype(np.float32)}


def test_features_are_the_mean_over_evenly_spaced_crops_of_the_valid_samples():
    signal = np.random.default_rng(0).normal(size=(3, 2, 80)).astype(np.float32)
    valid = np.array([80, 50, 12], np.int32)
    inner = Sums()
    features = Cropped(inner, 3, 2.0).encode(signal, leads=["I", "V1"], valid=valid)
    for record, count in enumerate(valid):
        begins = [round((max(count, 20) - 20) * k / 2) for k in range(3)]
        totals = np.array([signal[record, :, b : min(b + 20, count)].sum() for b in begins])
        np.testing.assert_allclose(features["pooled"][record], [totals.mean(), (totals**2).mean()], rtol=1e-4)
        mean = np.array([np.cos(totals).mean(), np.sin(totals).mean()])
        np.testing.assert_allclose(features["aligned"][record], mean / np.linalg.norm(mean), rtol=1e-4)
    assert inner.leads_read == ["I", "V1"]


def test_a_crop_of_the_whole_record_changes_nothing():
    signal = np.random.default_rng(1).normal(size=(2, 12, 80)).astype(np.float32)
    valid = np.array([80, 33], np.int32)
    for count in (1, 4):
        cropped = Cropped(Sums(), count, 8.0).encode(signal, valid=valid)
        for name, values in Sums().encode(signal, valid=valid).items():
            np.testing.assert_allclose(cropped[name], values, rtol=1e-5)


def test_a_cut_beyond_the_end_is_padded_with_zeros():
    crops = cut(np.arange(6.0).reshape(1, 1, 6), np.array([2]), 8)
    assert crops.tolist() == [[[2, 3, 4, 5, 0, 0, 0, 0]]]


@pytest.mark.parametrize("seconds", [0.0, 8.1])
def test_a_crop_that_the_encoder_cannot_read_is_refused(seconds):
    with pytest.raises(ConfigError, match=r"embed\.crop_seconds is"):
        Cropped(Sums(), 3, seconds)


def test_the_settings_wrap_any_encoder_and_one_crop_wraps_none():
    plain = Setup(settings.Signal(seconds=4.0), settings.Model())
    assert not isinstance(load("handcrafted", plain), Cropped)
    three = Setup(settings.Signal(seconds=4.0), settings.Model(), crops=3, crop_seconds=2.0)
    encoder = load("handcrafted", three)
    assert isinstance(encoder, Cropped)
    signal = np.random.default_rng(2).normal(size=(2, 12, 400)).astype(np.float32)
    inner = load("handcrafted", plain)
    crops = [inner.encode(signal[:, :, b : b + 200])["pooled"] for b in (0, 100, 200)]
    np.testing.assert_allclose(encoder.encode(signal)["pooled"], np.mean(crops, axis=0), rtol=1e-4, atol=1e-5)


def test_other_crops_are_other_features_to_the_cache():
    digests = {Cropped(Sums(), crops, seconds).digest for crops in (2, 3) for seconds in (2.0, 4.0)}
    assert len(digests) == 4
