"""The published probes: optimisers against PyTorch, schedules by hand, and the labels of defects."""

import numpy as np
import polars as pl
import pytest
import torch

from cgdmer import protocol as published
from cgdmer import settings
from cgdmer.errors import DataError
from cgdmer.probing import compatibility, subsets
from cgdmer.probing.cohort import Cohort, Split, cohort
from cgdmer.probing.compatibility import PROTOCOLS, Layer, train, training_order


def evaluate(*arguments):
    """Return the result as it is stored, and the predictions."""
    result, predictions = compatibility.evaluate(*arguments)
    return result.to_json(), predictions


@pytest.fixture
def joined(index):
    return cohort("cpsc2018", index, index["id"].to_list())


@pytest.mark.parametrize("decoupled", [False, True], ids=["Adam with L2, merl", "AdamW, melp"])
def test_updates_equal_pytorch(decoupled):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(16, 6)).astype(np.float32), (rng.random((16, 3)) < 0.4).astype(np.float32)
    start = rng.normal(size=(6, 3)).astype(np.float32)
    layer, weight = Layer(start.copy(), decoupled), torch.nn.Parameter(torch.tensor(start))
    optimiser = (torch.optim.AdamW if decoupled else torch.optim.Adam)([weight], lr=1e-2, weight_decay=1e-4)
    for _ in range(25):
        layer.step(X, Y, 1e-2)
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(X) @ weight, torch.tensor(Y)).backward()
        optimiser.step()
    np.testing.assert_allclose(layer.weights, weight.detach().numpy(), atol=2e-5)


def test_learning_rates_are_the_published_ones():
    merl, melp = PROTOCOLS["merl"].rate, PROTOCOLS["melp"].rate
    assert [merl(0, 0, steps) for steps in (0, 39, 40, 5000)] == [1e-3, 1e-3, 1e-4, 1e-4]
    assert [melp(0, epoch, 0) for epoch in (0, 50, 100)] == pytest.approx([1e-3, 5.05e-4, 1e-5])


def test_merl_labels_its_maximum_over_test_epochs(joined, features):
    chosen = settings.Probe(protocol="merl", fractions=[1.0], bootstrap=20)
    result, predictions = evaluate(joined, {"pooled": features}, chosen, None)
    cell = result["results"]["1.0"]["pooled"]
    assert result["protocol"] == "merl"
    assert any("maximum test AUROC" in defect for defect in result["defects"])
    assert cell["max_over_test_epochs"] >= cell["mean"] > 0.6
    assert (cell["seeds"], cell["C"], cell["epochs"]) == ([42], [None], 100)
    assert predictions.height == 50


def test_melp_stops_early_and_scores_softmax(joined, features):
    chosen = settings.Probe(protocol="melp", fractions=[1.0], bootstrap=20)
    result, predictions = evaluate(joined, {"pooled": features}, chosen, None)
    scores = predictions.select(pl.col("^score/.*$")).to_numpy()
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert result["results"]["1.0"]["pooled"]["epochs"] >= 6


def test_the_published_order_decides_the_subset(joined):
    listed = pl.DataFrame({"id": joined.train.ids[::-1], "split": "train"})
    order, kind = training_order(joined, listed)
    assert kind == "published"
    np.testing.assert_array_equal(order, np.arange(len(joined.train.ids))[::-1])


def test_records_that_are_not_here_keep_their_place_in_the_published_draw(joined):
    names = [*joined.train.ids[:3], "quarantined", *joined.train.ids[3:]]
    order, kind = training_order(joined, pl.DataFrame({"id": names, "split": "train"}))
    assert kind == "published"
    assert order[3] == -1
    drawn = order[subsets.melp(len(order), 0.5)]
    assert set(drawn[drawn >= 0]) == {joined.train.ids.index(names[i]) for i in subsets.melp(len(names), 0.5) if i != 3}


def test_the_index_may_be_in_another_order_than_the_published_table(protocol):
    table = published.split_table(protocol, "ptb_xl_form").sort("id")
    parts = {
        split: Split(part["id"].to_list(), np.arange(part.height), part.drop("id", "split").to_numpy())
        for (split,), part in table.partition_by("split", as_dict=True).items()
    }
    joined = Cohort("ptb_xl_form", table.columns[2:], **parts, without_features=0)
    order, kind = training_order(joined, published.split_table(protocol, "ptb_xl_form"))
    drawn = order[subsets.merl(len(order), 0.01)]
    assert kind == "published"
    assert subsets.fingerprint([joined.train.ids[i] for i in drawn]) == "7b3447f82648"  # docs/protocols.md B.2


def test_another_corpus_says_that_its_subset_is_not_the_published_one(joined):
    other = pl.DataFrame({"id": ["a", "b"], "split": "train"})
    assert "not the published records" in training_order(joined, other)[1]


def test_a_draw_without_a_record_is_refused(joined, features):
    chosen = settings.Probe(protocol="merl", fractions=[0.001], bootstrap=20)
    with pytest.raises(DataError, match=r"merl draws no record at 0\.001"):
        evaluate(joined, {"pooled": features}, chosen, None)


def test_labels_by_position_are_scored_beside_labels_by_name(index, features):
    names = ["AVB", "RAO/RAE", "ISC", "NORM"]
    columns = dict(zip(index.columns[10:], (f"ptb_xl_sub/{name}" for name in names), strict=True))
    joined = cohort("ptb_xl_sub", index.rename(columns), index["id"].to_list())
    chosen = settings.Probe(protocol="merl", fractions=[1.0], bootstrap=20)
    cell = evaluate(joined, {"pooled": features}, chosen, None)[0]["results"]["1.0"]["pooled"]
    assert cell["positional"]["mean"] < cell["mean"] - 0.1


def test_early_stopping_watches_the_labels_that_it_is_given(joined, features):
    rows, melp = np.arange(len(joined.train.rows)), PROTOCOLS["melp"]
    by_name = train(melp, joined, features, rows)
    turned = train(melp, joined, features, rows, watched=1 - joined.val.labels)
    assert len(turned.val) < len(by_name.val)
    np.testing.assert_array_equal(turned.test, by_name.test[: len(turned.test)])
