"""Encoding rows of shards: the features of the encoder for the signals in mV, whatever the batch."""

import numpy as np
import pytest
from support import example_pool as example

from cgdmer.encoders import Setup, load
from cgdmer.encoders.encoding import encode_rows
from cgdmer.shards import open_shards

ROWS = np.array([5, 3, 17, 0, 11])


@pytest.fixture
def shards(tmp_path):
    example.write(tmp_path, "ptb_xl", records=20)
    return open_shards(tmp_path / "data/shards/ptb_xl")


@pytest.fixture
def encoder():
    return load("random", Setup(example.SIGNAL, example.MODEL))


@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_rows_are_encoded_in_the_order_asked(shards, encoder, batch):
    valid = shards.rows["valid"].to_numpy()[ROWS]
    features = encode_rows(encoder, shards, ROWS, valid, batch)
    expected = encoder.encode(shards.gather(ROWS).astype(np.float32) / 1000, valid=valid)
    assert features.keys() == encoder.dims.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(features[name], values, atol=1e-5)


def test_only_the_representations_asked_for_are_returned(shards, encoder):
    valid = np.full(len(ROWS), 200)
    assert encode_rows(encoder, shards, ROWS, valid, 2, names=["shared", "aligned"]).keys() == {"shared"}


def test_a_transform_sees_mv_and_its_position_and_may_drop_leads(shards, encoder):
    valid, positions = np.full(len(ROWS), 200), []

    def first_two(signal, position):
        positions.append(range(len(ROWS))[position])
        assert np.array_equal(signal, shards.gather(ROWS[position]).astype(np.float32) / 1000)
        return signal[:, :2]

    features = encode_rows(encoder, shards, ROWS, valid, 2, leads=["I", "II"], transform=first_two)
    assert positions == [range(2), range(2, 4), range(4, 5)]
    expected = encoder.encode(shards.gather(ROWS)[:, :2] / np.float32(1000), leads=["I", "II"], valid=valid)
    np.testing.assert_allclose(features["pooled"], expected["pooled"], atol=1e-5)


def test_no_row_gives_empty_features_of_the_right_width(shards, encoder):
    features = encode_rows(encoder, shards, ROWS[:0], ROWS[:0], 2)
    assert {name: values.shape for name, values in features.items()} == {n: (0, d) for n, d in encoder.dims.items()}
