"""The pretrained encoder's reports, and the random control's weights."""

import numpy as np
import pytest
from support import example_pool as example

from cgdmer import encoders, settings
from cgdmer.encoders import Setup
from cgdmer.encoders import cgdmer as pretrained
from cgdmer.errors import ConfigError
from cgdmer.models import weights


@pytest.fixture
def encoder(tmp_path):
    _, reports, _ = example.signals(20)
    model = example.awake(
        weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, 0)
    )
    weights.save(tmp_path, model, example.SIGNAL, {})
    return pretrained.open_folder(tmp_path)


def test_reports_and_signals_meet_in_one_space_as_unit_vectors(encoder):
    microvolt, reports, _ = example.signals(20)
    texts = encoder.encode_reports(reports, batch=7)
    ecg = encoder.encode(microvolt.astype(np.float32) / 1000)["aligned"]
    assert texts.shape == ecg.shape == (20, example.MODEL.projection)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ecg, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(texts, encoder.encode_reports(reports, batch=20), atol=1e-5)
    assert encoder.encode_reports([]).shape == (0, example.MODEL.projection)


def test_pooled_is_shared_beside_specific(encoder):
    features = encoder.encode(example.signals(3)[0].astype(np.float32) / 1000)
    assert np.array_equal(features["pooled"], np.concatenate([features["shared"], features["specific"]], 1))


def test_the_random_control_has_its_seed_and_no_reports():
    first, same, other = (encoders.load("random", Setup(example.SIGNAL, example.MODEL, seed)) for seed in (0, 0, 1))
    signal = example.signals(3)[0].astype(np.float32) / 1000
    assert np.array_equal(first.encode(signal)["shared"], same.encode(signal)["shared"])
    assert not np.allclose(first.encode(signal)["shared"], other.encode(signal)["shared"], atol=1e-2)
    assert set(first.dims) == {"shared", "specific", "pooled"}
    with pytest.raises(ConfigError, match="not aligned with reports"):
        first.encode_reports(["sinus rhythm"])


def test_a_record_shorter_than_a_patch_is_refused(encoder):
    with pytest.raises(ConfigError, match="at least one patch of 20 samples"):
        encoder.encode(np.ones((1, 12, 19), dtype=np.float32))
