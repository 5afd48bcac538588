"""Several pretrainings of one encoder on real recordings: each score, their mean, and the difference from a control."""

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks import pretrainings
from cgdmer import settings
from cgdmer.external.external_set import ExternalSet, Labels, Origin

LABELS = np.random.default_rng(0).random((80, 2)) < 0.4


class Fake:
    """An encoder whose features follow the labels as closely as `gain` says."""

    def __init__(self, gain, seed):
        self.prompts = np.eye(2)
        self.features = gain * LABELS + np.random.default_rng(seed).normal(size=LABELS.shape)


def test_a_line_has_every_pretraining_their_mean_and_the_difference_with_pretrainings_in_its_interval(monkeypatch):
    monkeypatch.setattr(
        pretrainings.scoring,
        "encode",
        lambda encoder, real, batch: {"pooled": encoder.features, "aligned": encoder.features},
    )
    monkeypatch.setattr(pretrainings.few_labels, "class_vectors", lambda encoder, names: encoder.prompts)
    labels = Labels(["a", "b"], LABELS.astype(np.uint8), np.ones(len(LABELS), bool))
    signals = np.zeros((len(LABELS), 12, 10), np.int16)
    real = ExternalSet(
        Origin("t", "1", "l", "k"), [f"p{i}" for i in range(len(LABELS))], signals, np.full(len(LABELS), 10, np.int32),
        {"x": labels, "empty": Labels(["a"], np.zeros((len(LABELS), 1), np.uint8), np.ones(len(LABELS), bool))},
    )  # fmt: skip
    config = settings.load()
    both = {"cgdmer-base": [Fake(2.0, 1), Fake(3.0, 2)], "handcrafted": [Fake(0.2, 3)]}
    (line,) = pretrainings.lines(real, both, config)  # a task without positives has no line
    assert (line["task"], line["records"], line["pretrainings"]) == ("x", len(LABELS), 2)
    assert np.isclose(np.mean(line["each"]), line["cgdmer-base"][0], atol=1e-4)
    assert line["each"][0] < line["each"][1]
    cosines = [one.features / np.linalg.norm(one.features, axis=1, keepdims=True) for one in both["cgdmer-base"]]
    np.testing.assert_allclose(line["zero_shot"]["each"], [roc_auc_score(LABELS, one) for one in cosines], atol=1e-5)
    assert np.isclose(np.mean(line["zero_shot"]["each"]), line["zero_shot"]["mean"][0], atol=1e-4)
    monkeypatch.setattr(pretrainings.few_labels, "class_vectors", lambda encoder, names: None)
    assert next(pretrainings.lines(real, both, config))["zero_shot"] is None
    assert np.isclose(line["cgdmer-base"][0] - line["handcrafted"][0], line["difference"][0], atol=2e-4)
    alone = next(pretrainings.lines(real, {**both, "cgdmer-base": both["cgdmer-base"][1:]}, config))
    (low, high), (above, below) = line["difference"][1:], alone["difference"][1:]
    assert high - low > below - above
    assert alone["each"] is None
