"""An encoder that pools by statistics: saved, loaded, fine-tuned and traced, its features are three times as wide."""

import numpy as np
import pytest
import torch
from support import example_options as options
from support import example_pool as example

from cgdmer import encoders
from cgdmer.encoders import Setup
from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.finetuning.classifier import Classifier, load_backbone
from cgdmer.models import weights
from cgdmer.sharing import onnx

WIDTH = options.MODEL.width


@pytest.fixture
def folder(tmp_path):
    """A saved model that was built with every option."""
    weights.save(tmp_path, options.task().model, example.SIGNAL, {})
    return tmp_path


@pytest.fixture
def signal():
    records = example.signals(4)[0].astype(np.float32) / 1000
    records[1, :, 100:] = 0
    records[2, 3:6] = 0
    return records, np.array([200, 100, 200, 200])


def test_the_loaded_encoder_says_and_gives_its_widths(folder, signal):
    encoder = open_folder(folder)
    features = encoder.encode(signal[0], valid=signal[1])
    assert encoder.dims == {"shared": 3 * WIDTH, "specific": 3 * WIDTH, "pooled": 6 * WIDTH,
                            "aligned": options.MODEL.projection}  # fmt: skip
    assert {name: values.shape[1] for name, values in features.items()} == encoder.dims
    assert np.array_equal(features["pooled"], np.concatenate([features["shared"], features["specific"]], 1))
    original = Pretrained("original", options.task().model, example.SIGNAL)
    for name, values in original.encode(signal[0], valid=signal[1]).items():
        np.testing.assert_allclose(features[name], values, atol=1e-6)


def test_reports_meet_signals_in_one_space(folder):
    texts = open_folder(folder).encode_reports(["slow rate", "fast rate with smooth waves"])
    assert texts.shape == (2, options.MODEL.projection)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)


def test_nothing_that_only_training_needs_is_saved(folder):
    saved, _, _ = weights.load(folder)
    names = set(saved.state_dict())
    assert names == set(options.task().model.state_dict())
    assert not any("measurement" in name or "augmentation" in name for name in names)


def test_the_traced_graph_and_the_classifier_read_the_same_features(folder, signal):
    encoder = open_folder(folder)
    records, valid = torch.from_numpy(signal[0]), torch.from_numpy(signal[1])
    expected = encoder.encode(signal[0], valid=signal[1])
    with torch.no_grad():
        computed = onnx.Graph(encoder)(records, valid)
        classifier = Classifier(load_backbone(folder, pretrained=True, seed=0)[0], 6 * WIDTH).eval()
        classifier.head.weight.copy_(torch.eye(6 * WIDTH))
        logits = classifier(records, valid, records.eq(0).all(2)).numpy()
    for (name, values), one in zip(expected.items(), computed, strict=True):
        np.testing.assert_allclose(one.numpy(), values, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(logits, expected["pooled"], atol=1e-5)


def test_the_random_control_is_as_wide_as_the_method(signal):
    control = encoders.load("random", Setup(example.SIGNAL, options.MODEL, 0))
    assert control.encode(signal[0])["pooled"].shape == (4, 6 * WIDTH)
