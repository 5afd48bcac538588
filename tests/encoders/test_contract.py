"""Every encoder in cgdmer/encoders implements the interface `Encoder`."""

import importlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support import example_pool as example
from support import peers

from cgdmer import encoders, settings
from cgdmer.encoders import Setup, cgdmer_base
from cgdmer.errors import ConfigError
from cgdmer.files import sha256
from cgdmer.models import weights
from cgdmer.signals.leads import LEADS

FORM = settings.Signal(fs=100.0, seconds=5.0)


@pytest.fixture(scope="module", autouse=True)
def small_networks():
    with pytest.MonkeyPatch.context() as patch:
        peers.shrink(patch)
        yield patch


@pytest.fixture(scope="module", params=encoders.names())
def encoder(request, tmp_path_factory, small_networks):
    folder = tmp_path_factory.mktemp("model")
    _, reports, _ = example.signals(20)
    model = example.awake(weights.create(example.MODEL, settings.Masking(), settings.Objective(), FORM, reports, 0))
    weights.save(folder, model, FORM, {})
    if request.param == cgdmer_base.NAME:
        small_networks.setattr(cgdmer_base, "FOLDER", folder)
        small_networks.setattr(cgdmer_base, "DIGEST", weights.digest(folder))
    return encoders.load(request.param, Setup(FORM, example.MODEL, 0, folder, weights_files(request.param, folder)))


def weights_files(name, folder):
    """Write untrained weights for an adapter and return the settings that name them; empty for other encoders."""
    module = importlib.import_module(f"cgdmer.encoders.{name}")
    if not hasattr(module, "network"):
        return {}
    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_file(module.network().state_dict(), path)
    return {name: settings.WeightsFile(file=str(path), sha256=sha256(path))}


def beats(records=3, samples=500, seed=0):
    draw = np.random.default_rng(seed)
    time = np.arange(samples) / 100
    wave = sum(np.exp(-(((time - peak) / 0.03) ** 2)) for peak in np.arange(0.4, samples / 100, 0.8))
    gain = draw.uniform(0.3, 1.5, (records, 12, 1))
    return (gain * wave + 0.02 * draw.normal(size=(records, 12, samples))).astype(np.float32)


def test_it_says_what_it_takes_and_gives(encoder):
    assert encoder.name in encoders.names()
    assert (encoder.fs, encoder.seconds, encoder.unit) == (100.0, 5.0, "mV")
    assert tuple(encoder.leads) == LEADS
    assert "pooled" in encoder.dims
    assert set(encoder.dims) <= {"shared", "specific", "pooled", "aligned"}
    assert len(encoder.digest) in (0, 64)


def test_features_are_finite_float32_of_the_promised_width(encoder):
    features = encoder.encode(beats())
    assert {name: value.shape for name, value in features.items()} == {
        name: (3, width) for name, width in encoder.dims.items()
    }
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in features.values())


def test_the_signal_is_not_changed_and_the_features_repeat(encoder):
    signal = beats()
    before = signal.copy()
    first, second = encoder.encode(signal), encoder.encode(signal)
    assert np.array_equal(signal, before)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_records_do_not_see_each_other(encoder):
    signal = beats(4)
    together = encoder.encode(signal)
    alone = encoder.encode(signal[2:3])
    for name, value in alone.items():
        np.testing.assert_allclose(value[0], together[name][2], atol=1e-5)


def test_padding_is_ignored(encoder):
    signal = beats(2)
    padded = signal.copy()
    padded[0, :, 300:] = 0
    features = encoder.encode(padded, valid=np.array([300, 500]))
    cut = encoder.encode(signal[:1, :, :300])
    for name, value in cut.items():
        np.testing.assert_allclose(features[name][0], value[0], atol=1e-4)


@pytest.mark.parametrize("names", [["II"], ["I", "II"], ["v1", "II", "V5"], list(LEADS[:6]), list(LEADS[::-1])])
def test_any_leads_by_name_in_any_order_and_case(encoder, names):
    order = [[lead.lower() for lead in LEADS].index(name.lower()) for name in names]
    features = encoder.encode(beats()[:, order], leads=names)
    assert all(np.isfinite(value).all() for value in features.values())
    if len(names) == 12:
        for name, value in encoder.encode(beats()).items():
            np.testing.assert_allclose(features[name], value, atol=1e-5)


def test_flat_and_extreme_records_give_numbers(encoder):
    signal = np.zeros((3, 12, 500), dtype=np.float32)
    signal[1] = 30.0
    signal[2, 3] = beats(1)[0, 3]
    assert all(np.isfinite(value).all() for value in encoder.encode(signal).values())


def test_wrong_shapes_say_what_was_expected(encoder):
    with pytest.raises(ConfigError, match="for 12 leads"):
        encoder.encode(beats()[:, :3])
    with pytest.raises(ConfigError, match="at most 500"):
        encoder.encode(np.zeros((1, 12, 501), dtype=np.float32))


def test_no_record_gives_no_rows(encoder):
    features = encoder.encode(beats()[:0])
    assert {name: value.shape for name, value in features.items()} == {n: (0, w) for n, w in encoder.dims.items()}


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'handcrafted'"):
        encoders.load("handcraft", Setup(FORM, example.MODEL))


def test_only_modules_that_define_load_are_encoders():
    assert {"cgdmer", "handcrafted", "merl_resnet18", "random"} <= set(encoders.names())
    assert not {"__init__", "adapter", "base", "chunks", "encoding"} & set(encoders.names())
