"""Half precision: smaller files, the same features within the stated tolerance, and the same order of records."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support import example_pool, example_recordings

from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, with_digest, without_digest, write_json
from cgdmer.probing import logistic, metrics
from cgdmer.sharing import half


@pytest.fixture
def model():
    return example_recordings.model()


@pytest.fixture
def packed(model, tmp_path):
    half.save(model, tmp_path / "half")
    return tmp_path / "half"


def records():
    microvolt, _, findings = example_pool.signals(120)
    return microvolt.astype(np.float32) / 1000, np.full(120, microvolt.shape[2], np.int32), findings


def test_every_large_tensor_is_stored_in_two_bytes_and_read_into_fp32(packed):
    stored = load_file(packed / "weights.safetensors")
    large = {tensor.numel() >= half.SMALL: tensor.dtype for tensor in stored.values() if tensor.is_floating_point()}
    assert large == {True: torch.float16, False: torch.float32}
    encoder = open_folder(packed)
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert encoder.encode(records()[0][:2])["pooled"].dtype == np.float32


def test_features_agree_within_the_tolerance(model, packed):
    signal, valid, _ = records()
    compared = half.check(model, packed, signal, valid)
    assert 0 < compared.worst <= half.TOLERANCE
    assert compared.correlation > 0.9999


def test_a_probe_ranks_the_records_as_with_fp32(model, packed):
    signal, valid, findings = records()
    labels = (findings[:, 2:] == 0).astype(np.uint8)
    scores = []
    for folder in (model, packed):
        features = open_folder(folder).encode(signal, valid=valid)["pooled"]
        if not scores:
            path = logistic.fit(logistic.principal_axes(features[:60]), labels[:60], [0.1])
        scores.append(path.decision(features[60:], 0))
    ranks = [np.argsort(np.argsort(score[:, 0])) for score in scores]
    assert np.corrcoef(*ranks)[0, 1] > 0.999
    fp32, fp16 = (metrics.auroc(score, labels[60:])[0] for score in scores)
    assert abs(fp32 - fp16) < 0.005


def test_weights_that_changed_are_seen(model, packed):
    state = load_file(packed / "weights.safetensors")
    save_file({name: tensor * 1.1 for name, tensor in state.items()}, packed / "weights.safetensors")
    config = without_digest(read_json(packed / "config.json"))
    config["files"]["weights.safetensors"] = sha256(packed / "weights.safetensors")
    write_json(packed / "config.json", with_digest(config))
    with pytest.raises(DataError, match="in half precision a feature"):
        half.check(model, packed, *records()[:2])


def test_the_same_model_gives_the_same_bytes(model, packed, tmp_path):
    half.save(model, tmp_path / "again")
    assert {p.name: sha256(p) for p in packed.iterdir()} == {p.name: sha256(p) for p in (tmp_path / "again").iterdir()}


def test_a_model_that_is_too_large_for_a_wheel_is_refused(model, tmp_path):
    with pytest.raises(DataError, match="bytes in half precision") as caught:
        half.save(model, tmp_path / "half", max_bytes=1000)
    assert "at most 1,000" in str(caught.value)


def test_a_weight_beyond_float16_is_named():
    with pytest.raises(DataError, match=r"weight head\.bias holds 1e\+05"):
        half._half("head.bias", torch.full((half.SMALL,), 1e5))
