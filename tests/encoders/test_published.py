"""Published encoders: the features of the originals at full depth, their files' layouts, and complete cards."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support import peers
from torch import nn

from cgdmer import settings
from cgdmer.encoders import Setup, load, names, published
from cgdmer.encoders.published import Checkpoint
from cgdmer.encoders.state import encoder_state
from cgdmer.errors import ConfigError, DataError
from cgdmer.signals.leads import LEADS

ALL = ("ecg_fm", "ecg_jepa", "ecgfounder", "heartlang", "melp", "merl_resnet18", "merl_vit_tiny")


def network_of(name):
    """Return a network without memory for its weights: names and shapes alone."""
    with torch.device("meta"):
        return published.card(name).network()


def without_memory(folder, prefixes=()):
    """Return a published state dict of the right names and shapes, all zeros; `prefixes` of all names are stripped."""
    shapes = peers.card(folder)["full"]["tensors"]
    stripped = next((prefix for prefix in prefixes if all(name.startswith(prefix) for name in shapes)), "")
    return {name.removeprefix(stripped): torch.zeros(()).expand(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", ALL)
def test_the_features_are_those_of_the_original_at_full_depth(name, peer_folder):
    folder, card = peer_folder(name), published.card(name)
    network = card.network().eval()
    network.load_state_dict(encoder_state(peers.published_state(folder), card.checkpoint, network), strict=True)
    with torch.no_grad():
        features = network(*peers.network_inputs(folder)).numpy()
    np.testing.assert_allclose(features, np.load(folder / "output_full.npy"), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["ecgfounder", "heartlang", "merl_resnet18", "merl_vit_tiny"])
def test_a_raw_recording_gets_the_features_of_the_original(name, real, peer_folder, tmp_path):
    folder, form = peer_folder(name), published.card(name).form
    save_file(peers.published_state(folder), tmp_path / published.WEIGHTS)
    weights = {name: settings.WeightsFile(file=str(tmp_path))}
    raw = settings.Signal(fs=form.fs, seconds=10.0, low=None, high=None)
    signal = peers.recordings(real, form.fs).astype(np.float32)
    encoder = load(name, Setup(raw, settings.Model(), weights_files=weights))
    features = encoder.encode(signal[:, ::-1], leads=LEADS[::-1])["pooled"]
    np.testing.assert_allclose(features, np.load(folder / "output_full.npy"), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_every_layout_of_its_card_gives_the_tensors_of_the_network(name, peer_folder):
    card, network = published.card(name), network_of(name)
    plain = without_memory(peer_folder(name), card.checkpoint.prefixes)
    wanted = network.state_dict().keys()
    for prefix in ("", *card.checkpoint.prefixes):
        prefixed = {prefix + key: value for key, value in plain.items()}
        assert encoder_state(prefixed, card.checkpoint, network).keys() == wanted
        assert (
            encoder_state({f"module.{key}": x for key, x in prefixed.items()}, card.checkpoint, network).keys()
            == wanted
        )
    for wrapper in card.checkpoint.wrappers:
        assert encoder_state({wrapper: plain, "epoch": 3}, card.checkpoint, network).keys() == wanted


@pytest.mark.parametrize("name", ALL)
def test_what_is_left_over_or_missing_is_refused_by_name(name, peer_folder):
    card, network = published.card(name), network_of(name)
    plain = without_memory(peer_folder(name))
    with pytest.raises(DataError, match=r"the network has no classifier\.weight"):
        encoder_state(plain | {"classifier.weight": torch.zeros(2)}, card.checkpoint, network)
    key = next(key for key in plain if key.endswith(("norm.weight", "conv1.weight", "conv.weight")))
    with pytest.raises(DataError, match="the file lacks"):
        encoder_state({k: v for k, v in plain.items() if k != key}, card.checkpoint, network)
    with pytest.raises(DataError, match="has shape"):
        encoder_state(plain | {key: torch.zeros(7, 7)}, card.checkpoint, network)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3, 2))


LAYOUT = Checkpoint(
    wrappers=("model",), prefixes=("tower.",), drop=("head.*",), renames=(("old_b", "b"),), any_rows=("b",)
)
TINY = {"a": torch.ones(2), "b": torch.ones(3, 2)}


def test_half_precision_becomes_float32_and_rows_may_differ_where_the_card_says_so():
    content = {"model": {"tower.a": TINY["a"].bfloat16(), "tower.old_b": torch.ones(5, 2).half(), "head.w": TINY["a"]}}
    state = encoder_state(content, LAYOUT, Tiny())
    assert {key: (value.dtype, tuple(value.shape)) for key, value in state.items()} == {
        "a": (torch.float32, (2,)),
        "b": (torch.float32, (5, 2)),
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (TINY | {"tower.a": TINY["a"]}, "the network has no tower.a"),
        ({"tower.a": TINY["a"], "b": TINY["b"]}, "lacks"),
        ({"tower.a": TINY["a"], "tower.b": TINY["b"], "a": TINY["a"]}, "a .outside tower"),
        ({"model": TINY | {"epoch": 3}}, "the values of epoch are no tensors"),
        ({}, "the file lacks a, b"),
        ({f"x{number}": TINY["a"] for number in range(20)} | TINY, "and 12 more"),
        ({"a": TINY["a"], "b": torch.ones(3, 4)}, r"b has shape \(3, 4\)"),
    ],
)
def test_a_state_dict_that_does_not_fit_is_refused(content, problem):
    with pytest.raises(DataError, match=problem):
        encoder_state(content, LAYOUT, Tiny())


def test_melp_takes_the_number_of_its_queries_from_the_file(peer_folder):
    from cgdmer.encoders.melp import AttentionPool

    pool = AttentionPool(256, 768)
    state = pool.state_dict() | {"query": torch.ones(12, 256)}
    pool.load_state_dict(state, strict=True)
    assert pool(torch.zeros(2, 5, 768)).shape == (2, 12, 256)


def test_ecg_jepa_knows_a_lead_by_its_number_and_not_by_its_place(monkeypatch):
    from cgdmer.encoders import ecg_jepa

    monkeypatch.setattr(ecg_jepa, "DEPTH", 2)
    network = ecg_jepa.network().eval()
    network.load_state_dict({key: peers.drawn(key, list(x.shape)) for key, x in network.state_dict().items()})
    signal = torch.randn(2, 8, 2500, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([5, 0, 3])
    with torch.no_grad():
        whole, numbered = network(signal), network(signal, torch.arange(8).expand(2, -1))
        some, permuted = (network(signal[:, rows], rows.expand(2, -1)) for rows in (order, order.flip(0)))
    torch.testing.assert_close(whole, numbered)
    torch.testing.assert_close(some, permuted)  # a lead is known by its number and not by its place
    assert (some - whole).abs().max() > 0.01


def test_the_fixed_table_of_ecg_jepa_is_the_published_one(peer_folder):
    from cgdmer.encoders.ecg_jepa import positions

    np.testing.assert_allclose(positions(768).numpy(), np.load(peer_folder("ecg_jepa") / "pos_embed.npy"), atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_every_card_is_complete_and_agrees_with_the_notes_on_the_original(name, peer_folder):
    card, told = published.card(name), peers.card(peer_folder(name))
    assert card.name == name
    assert card.title
    assert card.licence.startswith("MIT")
    assert card.paper.link.startswith("https://arxiv.org/abs/")
    assert card.code.startswith("https://github.com/")
    assert card.checkpoint.files
    assert card.checkpoint.where
    assert card.trained_on
    assert card.form.width == np.load(peer_folder(name) / "output_full.npy").shape[1]
    assert (card.form.fs, card.form.samples, list(card.form.leads)) == (
        told["rate_hz"],
        told["samples"],
        told["leads"],
    )


def test_the_encoders_that_saw_benchmark_records_say_so():
    benchmarks = settings.load(Path(__file__).resolve().parents[2] / "params/demo.yaml").matrix.benchmarks
    seen = {
        name: [source for source in benchmarks if source in published.card(name).origin().trained_on] for name in ALL
    }
    assert seen == {name: [] for name in ALL} | {"ecg_fm": ["ptb_xl", "cpsc2018", "csn"], "ecg_jepa": ["csn"]}


def test_names_are_read_without_importing_pytorch():
    assert published.names() == ALL
    assert set(ALL) < set(names())
    script = "import sys; from cgdmer.encoders import published; published.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_name_is_refused_with_the_closest_one():
    with pytest.raises(ConfigError, match="did you mean 'heartlang'"):
        published.card("heartlong")
