"""Batches side by side on the CPU: the same numbers, in order, without gradients, and threads as they were."""

import threading

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import encoders
from cgdmer.encoders import Setup
from cgdmer.encoders.batches import CPU_BATCH, GPU_BATCH, batch_size, encode_in_batches, exact_fp32
from cgdmer.training.engine import set_precision


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_batches_overlap_with_one_thread_each_and_come_in_order():
    both = threading.Barrier(2, timeout=30)

    def encode(rows):
        if rows.start < 16:
            both.wait()
        return rows.start, torch.get_num_threads(), torch.is_grad_enabled()

    assert encode_in_batches(encode, 40, 8) == [(start, 1, False) for start in range(0, 40, 8)]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_one_batch_has_all_threads_and_no_record_is_one_empty_batch():
    assert encode_in_batches(lambda rows: torch.get_num_threads(), 8, 8) == [2]
    assert encode_in_batches(lambda rows: [7][rows], 0, 8) == [[7]]


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_a_batch_is_raised_and_the_threads_come_back():
    def encode(rows):
        if rows.start == 16:
            raise ValueError("row 16")

    with pytest.raises(ValueError, match="row 16"):
        encode_in_batches(encode, 40, 8)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", ["random", "random_resnet18"])
def test_features_do_not_depend_on_the_number_of_threads(name):
    encoder = encoders.load(name, Setup(example.SIGNAL, example.MODEL, 0))
    signal = example.signals(40)[0].astype(np.float32) / 1000
    before, features = torch.get_num_threads(), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        features.append(encoder.encode(signal))
    torch.set_num_threads(before)
    for kind, values in features[0].items():
        np.testing.assert_array_equal(values, features[1][kind])
        np.testing.assert_array_equal(values, features[2][kind])


def test_a_gpu_encodes_a_bounded_number_of_records_at_once():
    assert batch_size(torch.device("cpu")) == CPU_BATCH
    assert batch_size(torch.device("cuda", 3)) == GPU_BATCH


def test_while_encoding_no_product_is_rounded_to_tf32_and_afterwards_all_is_as_before(monkeypatch):
    """Training sets TF32 in the same process, and convolutions have it by default; a CPU keeps the flags too."""
    seen = []

    def flags(*_):
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = flags()
    try:
        set_precision()
        encoder = encoders.load("random", Setup(example.SIGNAL, seed=0, model=example.MODEL))
        features = encoder.model.features
        monkeypatch.setattr(encoder.model, "features", lambda *given: seen.append(flags()) or features(*given))
        encoder.encode(np.zeros((2, 12, 200), np.float32))
        with pytest.raises(RuntimeError), exact_fp32():
            raise RuntimeError
        assert seen == [("highest", False)]
        assert flags() == ("high", True)
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
