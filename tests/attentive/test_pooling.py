"""The pools: a query of zero is the mean, gradients are right, padding is not seen; probes train independently."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cgdmer import settings
from cgdmer.attentive import token_file, training
from cgdmer.attentive.pooling import AttentivePools
from cgdmer.errors import DataError, TrainingStopped

WIDTH, CLASSES, LENGTHS = 5, 3, (4, 7, 1, 6)
SETTINGS = settings.Attentive(epochs=6, batch=16, min_updates=4, lr=0.05, weight_decay=[0.1, 2.0], bootstrap=20)


def drawn(learned, seed=0):
    """Return pools whose weights are all drawn, in double precision."""
    pools = AttentivePools(torch.tensor(learned), WIDTH, CLASSES).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in pools.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.double))
    return pools


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(3)
    present = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, generator=generator, dtype=torch.double), present


def test_a_query_of_zero_is_the_mean_over_tokens_and_a_linear_layer(tokens):
    pools = drawn([True, False])
    with torch.no_grad():
        pools.query[0] = 0
    means = torch.stack([one[:length].mean(0) for one, length in zip(tokens[0], LENGTHS, strict=True)])
    expected = [means @ pools.weight[k] + pools.bias[k] for k in range(2)]  # the second query is drawn and not learned
    torch.testing.assert_close(pools(*tokens), torch.stack(expected))


def test_the_weights_of_the_tokens_are_a_softmax_of_their_products_with_the_query(tokens):
    pools = drawn([True])
    for record, (one, length) in enumerate(zip(tokens[0], LENGTHS, strict=True)):
        weights = torch.softmax(one[:length] @ pools.query[0] / WIDTH**0.5, 0)
        torch.testing.assert_close(pools.pool(*tokens)[record, 0], weights @ one[:length])


def test_what_lies_behind_a_record_changes_nothing(tokens):
    values, present = tokens
    other = values.masked_fill(~present[:, :, None], 1e3)
    assert torch.equal(drawn([True])(values, present), drawn([True])(other, present))


def test_gradients_are_those_of_finite_differences_and_a_held_query_has_none(tokens):
    pools = drawn([True, False])
    labels = torch.tensor(np.random.default_rng(1).integers(0, 2, (len(LENGTHS), CLASSES))).double()

    def loss(query, weight, bias):
        logits = torch.func.functional_call(pools, {"query": query, "weight": weight, "bias": bias}, tokens)
        return F.binary_cross_entropy_with_logits(logits, labels.expand_as(logits))

    parameters = tuple(parameter.detach().requires_grad_() for parameter in pools.parameters())
    assert torch.autograd.gradcheck(loss, parameters)
    query = torch.autograd.grad(loss(*parameters), parameters)[0]
    assert query[0].abs().min() > 0
    assert query[1].abs().max() == 0


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Tokens of 90 records. One of the tokens of each tells its class, by a sign in the only place that is large."""
    draw = np.random.default_rng(7)
    labels = draw.integers(0, 2, (90, 1))
    records = [draw.normal(size=(draw.integers(4, 9), WIDTH)).astype(np.float32) for _ in labels]
    for tokens, label in zip(records, labels[:, 0], strict=True):
        tokens[draw.integers(len(tokens)), :2] = 6.0, 4.0 * (2 * label - 1)
        tokens[:, 1] += draw.normal() * 4
    path = tmp_path_factory.mktemp("tokens") / "tokens.bin"
    return token_file.write(path, [records[:50], records[50:]]), records, labels


def trained(stored, decays, **changes):
    file, _, labels = stored
    rows = np.split(np.arange(len(labels)), [50, 70])
    tokens = training.Tokens(file, training.Standard.of(file.means(rows[0])), torch.device("cpu"))
    chosen = SETTINGS.model_copy(update={"weight_decay": decays, **changes})
    val = rows[1], labels[rows[1]]
    return training.train(tokens, rows[0], labels[rows[0]], val, rows[2], chosen, seed=1), val


def test_tokens_come_back_from_the_file_in_half_precision(stored):
    file, records, _ = stored
    chosen = np.array([60, 3, 88])
    tokens, present = file.padded(chosen)
    for row, record in enumerate(chosen):
        np.testing.assert_array_equal(tokens[row][present[row]], records[record].astype(np.float16))
        assert not tokens[row][~present[row]].any()
    np.testing.assert_allclose(file.means(chosen), [records[record].mean(0) for record in chosen], atol=1e-3)


@pytest.mark.parametrize("bad", [np.full((2, 3), np.nan), np.full((2, 3), 1e5), np.zeros((0, 3))])
def test_tokens_that_cannot_be_stored_are_refused_and_leave_no_file(bad, tmp_path):
    with pytest.raises(DataError, match="record 1 has no tokens, or tokens that are not finite or above 65,504"):
        token_file.write(tmp_path / "tokens.bin", [[np.ones((2, 3))], [bad]])
    assert list(tmp_path.iterdir()) == []


def test_probes_side_by_side_are_those_trained_alone_and_the_better_one_is_chosen(stored):
    both, val = trained(stored, [0.1, 2.0])
    alone = [trained(stored, [decay])[0] for decay in (0.1, 2.0)]

    def score(one):
        return float(training.metrics.auroc(one.val, val[1])[0])

    for pooling, chosen in both.items():
        one = max((results[pooling] for results in alone), key=score)  # the first of equals
        assert (chosen.epoch, chosen.weight_decay) == (one.epoch, one.weight_decay)
        np.testing.assert_allclose(chosen.test, one.test, atol=1e-5)


def test_training_repeats_to_the_bit(stored):
    first, again = (trained(stored, [0.1])[0]["attentive"] for _ in range(2))
    np.testing.assert_array_equal(first.test, again.test)


def test_the_query_finds_the_token_that_tells(stored):
    results, val = trained(stored, [0.1], epochs=30, patience=30)
    attentive, mean = (training.metrics.auroc(results[name].val, val[1])[0] for name in ("attentive", "mean"))
    assert attentive > mean + 0.05


def test_where_validation_ranks_nothing_the_last_epoch_counts(stored):
    file, _, labels = stored
    tokens = training.Tokens(file, training.Standard.of(file.means(np.arange(50))), torch.device("cpu"))
    rows = np.arange(50)
    val = np.arange(50, 70), np.zeros((20, 1))
    chosen = training.train(tokens, rows, labels[:50], val, np.arange(70, 90), SETTINGS, seed=0)
    assert {one.epoch for one in chosen.values()} == {SETTINGS.epochs}
    assert {one.weight_decay for one in chosen.values()} == {0.1}


def test_a_constant_feature_becomes_zero():
    means = np.column_stack([np.full(4, 7.0), np.arange(4.0)])
    scaled = training.Standard.of(means)(means[:, None].astype(np.float32))
    assert not scaled[:, 0, 0].any()
    np.testing.assert_allclose(scaled[:, 0, 1].std(), 1.0, rtol=1e-6)


def test_a_loss_that_is_not_finite_stops_with_its_setting():
    pools = AttentivePools(torch.tensor([True]), 1, 1)
    optimiser = torch.optim.Adam(pools.parameters())
    inputs = torch.full((2, 1, 1), torch.nan), torch.ones(2, 1, dtype=torch.bool)
    with pytest.raises(TrainingStopped, match=r"attentive\.lr"):
        training.update(pools, optimiser, inputs, np.ones((2, 1)), torch.ones(1))
