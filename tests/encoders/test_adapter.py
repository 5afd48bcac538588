"""Adapters: strict loading, no pickles, and features that depend neither on the batch nor on windows' neighbours."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cgdmer import settings
from cgdmer.encoders import Setup, merl_resnet18
from cgdmer.encoders.adapter import adapt
from cgdmer.encoders.batches import CPU_BATCH
from cgdmer.encoders.form import Form
from cgdmer.encoders.published import WEIGHTS, Card, Checkpoint, Paper
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import sha256
from cgdmer.signals.leads import LEADS

SIGNAL = settings.Signal(fs=100.0, seconds=4.0)
FORM = Form(fs=250.0, seconds=5.0, leads=("II", "V1", "I"), width=3)


class Probe(nn.Module):
    """Remembers its input; its features are the means of the leads."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        self.input = x
        return self.gain * x.abs().mean(dim=2)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "probe.safetensors"
    save_file({"gain": torch.tensor([2.0])}, path)
    return path


def opened(path, digest=None, network=None, form=FORM):
    named = settings.WeightsFile(file=str(path), sha256=digest)
    network = network or Probe()
    paper = Paper("Nobody, 2026", "https://example.org")
    card = Card("probe", "Probe", paper, "", "MIT", (), Checkpoint(), form, lambda: network)
    return adapt(card, Setup(SIGNAL, settings.Model(), weights_files={"probe": named})), network


def test_the_network_gets_its_own_leads_rate_and_length(file):
    encoder, network = opened(file)
    time = np.arange(400) / 100
    signal = np.stack([np.sin(2 * np.pi * (1 + k) * time) for k in range(12)])[None].astype(np.float32)
    features = encoder.encode(signal)["pooled"]
    received = network.input.numpy()
    assert received.shape == (1, 3, 1250)
    assert not received[:, :, 1000:].any()
    inside = slice(100, 900)
    for channel, lead in enumerate(FORM.leads):
        expected = np.sin(2 * np.pi * (1 + LEADS.index(lead)) * np.arange(1000) / 250)
        np.testing.assert_allclose(received[0, channel, inside], expected[inside], atol=0.02)
    np.testing.assert_allclose(features, 2 * np.abs(received).mean(axis=2), rtol=1e-5)


def test_leads_not_given_and_padding_are_zero(file):
    encoder, network = opened(file)
    encoder.encode(np.ones((1, 2, 400), np.float32), leads=["I", "V1"], valid=np.array([200]))
    received = network.input.numpy()
    assert not received[0, 0].any()
    assert abs(received[0, 1, 300] - 1) < 0.1
    assert not received[0, 1, 500:].any()


def test_a_pickle_is_refused_with_the_command_that_converts_it(tmp_path):
    path = tmp_path / "probe.pt"
    torch.save({"gain": torch.tensor([5.0])}, path)
    with pytest.raises(ConfigError, match="may hold a pickle") as caught:
        opened(path)
    assert caught.value.fix == f"cgdmer convert {path} --encoder probe -o data/outside/probe"


def test_a_pickle_that_is_named_safetensors_is_not_read(tmp_path):
    path = tmp_path / "probe.safetensors"
    torch.save({"gain": torch.tensor([5.0])}, path)
    with pytest.raises(DataError, match="is no safetensors file"):
        opened(path)


@pytest.mark.parametrize("state", [{}, {"gain": torch.ones(2)}, {"gain": torch.ones(1), "head": torch.ones(1)}])
def test_weights_of_another_network_are_refused(tmp_path, state):
    path = tmp_path / "probe.safetensors"
    save_file(state, path)
    with pytest.raises(DataError, match="does not hold the weights of probe") as caught:
        opened(path)
    assert "gain" in caught.value.problem or "head" in caught.value.problem


def test_another_file_than_named_is_refused_and_its_own_digest_told(file):
    with pytest.raises(DataError, match="not the file that params") as caught:
        opened(file, digest="0" * 64)
    assert sha256(file) in caught.value.fix


def test_a_file_that_is_missing_or_not_named_says_what_to_do(file):
    digest = sha256(file)
    file.unlink()
    with pytest.raises(DataError, match="is missing"):
        opened(file, digest)
    with pytest.raises(ConfigError, match="names no weights for encoder merl_resnet18") as caught:
        merl_resnet18.load(Setup(SIGNAL, settings.Model()))
    assert "cgdmer convert FILE --encoder merl_resnet18 -o data/outside/merl_resnet18" in caught.value.fix


def test_the_published_file_of_merl_loads_with_the_head_that_nothing_reads(tmp_path):
    torch.manual_seed(0)
    state = merl_resnet18.network().state_dict()
    state |= {"linear.weight": torch.ones(10, 512), "linear.bias": torch.ones(10)}
    save_file(state, tmp_path / WEIGHTS)
    named = settings.WeightsFile.model_validate(str(tmp_path))
    encoder = merl_resnet18.load(Setup(SIGNAL, settings.Model(), weights_files={"merl_resnet18": named}))
    assert encoder.digest == sha256(tmp_path / WEIGHTS)
    assert torch.equal(encoder.network.conv1.weight, state["conv1.weight"])


def test_a_folder_stands_for_the_weights_in_it_and_a_missing_one_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere/encoder\.safetensors is missing"):
        opened(tmp_path / "nowhere")
    save_file({"gain": torch.tensor([3.0])}, tmp_path / WEIGHTS)
    assert opened(tmp_path)[1].gain.item() == 3.0


def test_the_batch_of_the_processor_does_not_matter(file):
    encoder, _ = opened(file, form=Form(fs=100.0, seconds=1.0, leads=("II", "V1", "I"), width=3, windows=True))
    signal = np.random.default_rng(0).normal(size=(2 * CPU_BATCH + 3, 12, 400)).astype(np.float32)
    valid = np.random.default_rng(1).integers(50, 400, len(signal))
    together = encoder.encode(signal, valid=valid)["pooled"]
    for row in range(len(signal)):
        alone = encoder.encode(signal[row : row + 1], valid=valid[row : row + 1])["pooled"]
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-5)


def test_a_network_of_another_width_is_refused(file):
    encoder, _ = opened(file, form=Form(fs=100.0, seconds=1.0, leads=("II", "V1", "I"), width=4))
    with pytest.raises(ConfigError, match="features of shape"):
        encoder.encode(np.ones((1, 12, 100), np.float32))


def test_the_published_layout_has_its_published_size():
    network = merl_resnet18.network()
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(3.85e6, rel=0.01)
    assert network(torch.zeros(1, 12, 5000)).shape == (1, 512)
