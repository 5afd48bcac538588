"""The pretrained encoder's reports, and the random control's weights."""

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import encoders, settings
from cgdmer.encoders import Setup, pretrained
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.models.transformer import Block


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


def test_a_single_text_is_not_read_as_its_characters(encoder):
    signal = example.signals(2)[0].astype(np.float32) / 1000
    with pytest.raises(ConfigError, match=r"texts is a single string(.|\n)*to fix: pass \['sinus rhythm'\]"):
        encoder.encode_reports("sinus rhythm")
    with pytest.raises(ConfigError, match=r"pass \['atrial fibrillation'\]"):
        encoder.zero_shot(signal, "atrial fibrillation")
    with pytest.raises(ConfigError, match="texts holds bytes\n  allowed: a list of strings"):
        encoder.zero_shot(signal, ["sinus rhythm", b"atrial fibrillation"])
    assert encoder.zero_shot(signal, ("sinus rhythm", "atrial fibrillation")).shape == (2, 2)


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_reports_has_at_least_one(encoder, batch):
    with pytest.raises(ConfigError, match=f"batch = {batch}\n  allowed: at least 1"):
        encoder.encode_reports(["sinus rhythm"], batch=batch)


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


def outputs_of_blocks(encoder, signal):
    """Return the change that each block, and its attention alone, makes to its tokens, relative to their size."""
    changes = []

    def note(block, inputs, output):
        x, mask = inputs
        with torch.no_grad():
            attended = block.attend(block.norm_attention(x), mask)
        changes.append([((output - x).norm() / x.norm()).item(), (attended.norm() / x.norm()).item()])

    hooks = [m.register_forward_hook(note) for m in encoder.model.modules() if isinstance(m, Block)]
    encoder.encode(signal)
    for hook in hooks:
        hook.remove()
    return np.array(changes)


def test_every_block_of_the_random_control_works_and_its_attention_does():
    """Pretraining starts with blocks that are the identity; a control like that would have neither depth nor parts."""
    signal = example.signals(8)[0].astype(np.float32) / 1000
    setup = Setup(example.SIGNAL, example.MODEL, 0)
    control = encoders.load("random", setup)
    changes = outputs_of_blocks(control, signal)
    assert len(changes) == example.MODEL.depth + 2 * example.MODEL.split_depth
    assert changes.min() > 0.05
    features = control.encode(signal)
    correlation = np.corrcoef(features["shared"].ravel(), features["specific"].ravel())[0, 1]
    assert abs(correlation) < 0.9

    ecg_only = settings.Objective(contrastive=0.0, report_reconstruction=0.0)
    start = weights.create(example.MODEL, settings.Masking(), ecg_only, example.SIGNAL, [], 0)
    untouched = pretrained.Pretrained("start", start, example.SIGNAL)
    assert outputs_of_blocks(untouched, signal).max() == 0, "pretraining still starts where it did"
    assert np.array_equal(untouched.encode(signal)["shared"], untouched.encode(signal)["specific"])


def test_the_random_control_mixes_leads_and_moments():
    """Another wave in one lead changes the tokens of all other leads, which only attention can do."""
    control = encoders.load("random", Setup(example.SIGNAL, example.MODEL, 0))
    signal = example.signals(2)[0].astype(np.float32) / 1000
    other = signal.copy()
    other[:, 0, :20] *= -1  # the record keeps its standard deviation
    tokens = []
    control.model.disentangler.shared.register_forward_hook(lambda _, __, output: tokens.append(output))
    control.encode(signal)
    control.encode(other)
    change = (tokens[0] - tokens[1]).abs().amax((0, 2))
    assert (change[1:] > 1e-4).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_with_their_number(encoder, value):
    signal = example.signals(3)[0].astype(np.float32) / 1000
    signal[1, 0, 5:7] = value
    for refused in (lambda: encoder.encode(signal), lambda: encoder.zero_shot(signal, ["sinus rhythm"])):
        with pytest.raises(ConfigError, match=r"2 samples in 1 of 3 records are NaN or infinite") as error:
            refused()
        assert "cgdmer.read_record(path, encoder)" in error.value.fix


def test_values_beyond_millivolt_still_name_the_unit(encoder):
    with pytest.raises(ConfigError, match="probably uV"):
        encoder.encode(example.signals(3)[0].astype(np.float32))


def test_nested_lists_are_read_like_an_array(encoder):
    signal = example.signals(2)[0].astype(np.float32) / 1000
    expected = encoder.encode(signal)
    for name, values in encoder.encode(signal.tolist()).items():
        assert np.array_equal(values, expected[name])


@pytest.mark.parametrize(
    "signal", [[[[0.0, 1.0], [0.0]]], "I", None, [[["a"] * 40] * 12], np.zeros((1, 12, 40), complex)]
)
def test_what_is_no_array_of_numbers_is_refused(encoder, signal):
    with pytest.raises(ConfigError, match="allowed: an array or nested lists of numbers"):
        encoder.encode(signal)


def test_a_record_without_any_lead_is_read_as_a_flat_line(encoder):
    """As docs/api.md says; a lead of zeros beside others counts as not recorded."""
    signal = example.signals(2)[0].astype(np.float32) / 1000
    signal[1] = 0
    features = encoder.encode(signal)
    assert all(np.isfinite(values).all() for values in features.values())
    one_lead = signal[:1].copy()
    one_lead[:, 1:] = 0
    for name, values in encoder.encode(one_lead).items():
        np.testing.assert_allclose(values, encoder.encode(signal[:1, :1], leads=["I"])[name], atol=1e-5)


def test_a_record_shorter_than_a_patch_is_refused(encoder):
    with pytest.raises(ConfigError, match="at least one patch of 20 samples"):
        encoder.encode(np.ones((1, 12, 19), dtype=np.float32))
