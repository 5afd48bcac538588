"""The counts of valid samples that an encoder is given: one per record, within the signal, or a ConfigError."""

import numpy as np
import pytest
from support import example_pool as example

from cgdmer.encoders import Setup
from cgdmer.encoders.base import check_signal
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.encoders.random import load
from cgdmer.errors import ConfigError
from cgdmer.signals import LEADS

SIGNAL = np.zeros((16, 12, 200), np.float32)


@pytest.mark.parametrize(
    "valid",
    [
        np.full(8, 200), np.full(17, 200), np.full((16, 1), 200), np.array(200), np.array([]), [200] * 15 + [201],
        [200] * 15 + [-1], [200] * 15 + [np.nan], np.full(16, (1 << 32) + 100), 200,
    ],
)  # fmt: skip
def test_other_shapes_and_counts_are_refused(valid):
    with pytest.raises(ConfigError, match="valid of shape") as caught:
        check_signal(SIGNAL, None, valid, 200)
    assert caught.value.allowed == "one count from 0 to 200 for each of 16 records"


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.float32])
def test_counts_within_the_signal_are_taken(dtype):
    counts = np.arange(16) * 200 // 15
    _, numbers, valid = check_signal(SIGNAL, None, counts.astype(dtype), 200)
    assert valid.dtype == np.int32
    assert valid.tolist() == check_signal(SIGNAL, None, counts.tolist(), 200)[2].tolist() == counts.tolist()
    assert numbers == list(range(len(LEADS)))
    assert check_signal(SIGNAL[:0], None, np.array([], dtype), 200)[2].tolist() == []
    assert check_signal(SIGNAL, None, None, 200)[2].tolist() == [200] * 16


@pytest.mark.parametrize("count", [8, 10, 17])
def test_an_encoder_does_not_take_counts_of_other_records(count):
    encoder = load(Setup(example.SIGNAL, example.MODEL, 0))
    signal = example.signals(16)[0].astype(np.float32) / 1000
    with pytest.raises(ConfigError, match="valid of shape"):
        Pretrained.encode(encoder, signal, valid=np.full(count, signal.shape[2]))
