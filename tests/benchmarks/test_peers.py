"""benchmarks.peers on a machine with a GPU: it measures the processor and leaves the GPU alone."""

import numpy as np
import pytest
import torch
from support import peers as example

from benchmarks import peers
from cgdmer.encoders import published
from cgdmer.encoders.adapter import Adapted


@pytest.fixture
def encoder(monkeypatch):
    """An encoder without memory for its weights on the device `meta`, which plays the GPU."""
    example.shrink(monkeypatch)
    card = published.card("merl_vit_tiny")
    encoder = Adapted(card.name, card.network(), card.form, peers.RAW, "")
    encoder.network, encoder.device = encoder.network.to("meta"), torch.device("meta")
    return encoder


def test_the_network_comes_to_the_cpu_and_takes_records(encoder, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: module.to_empty(device="cpu"))
    moved = peers.on_cpu(encoder)
    tensors = [*moved.network.parameters(), *moved.network.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"cpu"} == {moved.device.type}
    for tensor in tensors:
        tensor.data.zero_()
    signal = np.random.default_rng(0).normal(size=(3, 12, peers.RAW.samples)).astype(np.float32)
    assert peers.forward(moved, signal).shape == (3, moved.form.width)
    assert moved.encode(signal)["pooled"].shape == (3, moved.form.width)


def test_the_benchmark_runs_with_an_encoder_that_a_gpu_holds(encoder, monkeypatch):
    made, compared = [], []
    monkeypatch.setattr(peers, "Adapted", lambda *_: made.append(encoder) or encoder)
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: module.to_empty(device="cpu"))
    monkeypatch.setattr(peers, "compare_batches", lambda one, sizes, records: compared.append(one.device.type))
    monkeypatch.setattr("sys.argv", ["peers", "--batches", "2"])
    peers.main()
    assert (made, compared) == ([encoder], ["cpu"])
