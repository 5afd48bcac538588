"""From a published file to a folder with weights and card: every layout, every refusal by name, nothing overwritten."""

import functools
import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from support import published_files
from support.confining import needs_confinement

from cgdmer import cli, settings
from cgdmer.conversion import convert as conversion
from cgdmer.conversion.convert import CARD, convert
from cgdmer.encoders import Setup, load, published
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import sha256

LAYOUTS = list(published_files.PUBLISHED)


KINDS = {"float32.pth": torch.float32, "bfloat16.safetensors": torch.bfloat16, "float16.ckpt": torch.float16}
CASES = [
    (layout, kind) for layout in LAYOUTS for kind in KINDS
    if not (published_files.PUBLISHED[layout][0] and kind.endswith("safetensors"))  # these have no wrapper
]  # fmt: skip
small_card = functools.cache(published_files.small_card)


@pytest.fixture
def small(monkeypatch):
    """Let the networks of published encoders be skeletons with the published names, so that files are small."""
    cards = {name: small_card(name) for name in published.names()}
    monkeypatch.setattr(published, "card", cards.__getitem__)
    return cards.__getitem__


def test_there_is_a_layout_of_every_published_encoder():
    assert {layout.split(",")[0] for layout in LAYOUTS} == set(published.names())


@pytest.mark.parametrize(("layout", "kind"), CASES)
def test_a_published_layout_becomes_the_tensors_of_the_network(tmp_path, small, layout, kind):
    card, file = small(layout.split(",")[0]), tmp_path / kind
    tensors = published_files.write(file, layout, card, dtype=KINDS[kind])
    made = convert(file, card.name, tmp_path / "out")
    state = load_file(tmp_path / "out" / published.WEIGHTS)
    assert state.keys() == tensors.keys()
    for name, tensor in card.network().state_dict().items():
        assert state[name].dtype == tensor.dtype
        np.testing.assert_array_equal(state[name].numpy(), tensors[name].float().numpy())
    assert made.tensors_left_out == len(published_files.PUBLISHED[layout][2])
    assert not made.isolated


@needs_confinement
def test_a_file_with_the_settings_of_its_training_is_converted_in_isolation(tmp_path, small):
    file = tmp_path / "pretrained.pt"
    tensors = published_files.write(file, "ecg_fm", small("ecg_fm"), objects=True)
    with pytest.raises(ConfigError, match="add --allow-pickle"):
        convert(file, "ecg_fm", tmp_path / "out")
    assert convert(file, "ecg_fm", tmp_path / "out", isolate=True).isolated
    state = load_file(tmp_path / "out" / published.WEIGHTS)
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [CARD, published.WEIGHTS]


def test_the_card_says_where_the_weights_came_from(tmp_path, small):
    file = tmp_path / "res18_best_encoder.pth"
    published_files.write(file, "merl_resnet18", small("merl_resnet18"))
    convert(file, "merl_resnet18", tmp_path / "out")
    card = json.loads((tmp_path / "out" / CARD).read_text())
    assert card["source"] == {"name": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)}
    assert card["sha256"] == sha256(tmp_path / "out" / published.WEIGHTS)
    assert card["converted"] == datetime.now(UTC).date().isoformat()
    assert "MIT" in card["licence"]
    assert "MERL" in card["citation"] or "Liu" in card["citation"]
    assert card["trained_on"] == ["mimic_iv_ecg"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [CARD, published.WEIGHTS]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def changed(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


FAULTS = {
    "missing": (lambda c: c.pop("bn1.bias"), r"lacks bn1\.bias"),
    "unexpected": (lambda c: c.update({"layer5.0.conv1.weight": torch.ones(2)}), r"no layer5\.0\.conv1\.weight"),
    "misshapen": (lambda c: c.update({"bn1.bias": torch.ones(3)}), r"bn1\.bias has shape \(3,\) and not \(2,\)"),
    "not finite": (lambda c: c.update({"bn1.bias": torch.tensor([1.0, torch.nan])}), r"NaN or infinity in bn1\.bias"),
    "integers": (lambda c: c.update({"bn1.bias": torch.ones(2, dtype=torch.int8)}), r"bn1\.bias \(torch\.int8\)"),
    "huge": (lambda c: c.update({"bn1.bias": torch.ones(1).expand(1 << 40)}), r"bn1\.bias has shape \(1099511627776,"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_with_a_fault_is_refused_by_name_and_leaves_nothing(tmp_path, small, fault):
    change, message = FAULTS[fault]
    published_files.write(tmp_path / "file.pth", "merl_resnet18", small("merl_resnet18"))
    changed(tmp_path / "file.pth", change)
    with pytest.raises(DataError, match=message) as caught:
        convert(tmp_path / "file.pth", "merl_resnet18", tmp_path / "out")
    assert str(tmp_path / "file.pth") in caught.value.problem
    assert [path.name for path in tmp_path.iterdir()] == ["file.pth"]


def test_the_file_of_another_encoder_is_refused(tmp_path, small):
    published_files.write(tmp_path / "file.pth", "ecg_jepa", small("ecg_jepa"))
    with pytest.raises(DataError, match=r"the values of encoder are no tensors(.|\n)*checkpoint-200\.pth"):
        convert(tmp_path / "file.pth", "heartlang", tmp_path / "out")


def test_nothing_is_overwritten(tmp_path, small):
    file, out = tmp_path / "file.pth", tmp_path / "out"
    published_files.write(file, "merl_resnet18", small("merl_resnet18"))
    convert(file, "merl_resnet18", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ConfigError, match="exists already"):
        convert(file, "merl_resnet18", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    with pytest.raises(ConfigError, match="exists already"):
        convert(file, "merl_resnet18", file)


def test_a_folder_that_fills_while_converting_is_not_overwritten(tmp_path, small, monkeypatch):
    file, out = tmp_path / "file.pth", tmp_path / "out"
    published_files.write(file, "merl_resnet18", small("merl_resnet18"))

    def meanwhile(path, value):
        out.mkdir()
        (out / "mine").touch()

    monkeypatch.setattr(conversion, "write_json", meanwhile)
    with pytest.raises(OSError, match="not empty"):
        convert(file, "merl_resnet18", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.pth", "out"]


def test_an_unknown_encoder_is_refused_before_the_file_is_read(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'ecg_fm'"):
        convert(tmp_path / "none.pth", "ecgfm", tmp_path / "out")


def test_the_command_prints_the_line_for_the_settings_and_the_encoder_loads_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card = published.card("merl_resnet18")
    torch.manual_seed(3)
    network = card.network().eval()
    torch.save(
        network.state_dict() | {"linear.weight": torch.ones(10, 512), "linear.bias": torch.ones(10)}, "res18.pth"
    )
    arguments = ["convert", "res18.pth", "--encoder", "merl_resnet18", "-o", "outside/merl"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "2 others left out" in printed
    assert "licence: MIT" in printed
    [line] = re.findall(r"embed: (.*)$", printed, re.M)
    outside = settings.Embed.model_validate(yaml.safe_load(line))
    setup = Setup(settings.Signal(fs=500.0), settings.Model(), weights_files=outside.outside)
    encoder = load("merl_resnet18", setup)
    signal = np.random.default_rng(0).normal(size=(2, 12, 5000)).astype(np.float32)
    features = encoder.encode(signal)["pooled"]
    low, high = signal.min(axis=(1, 2), keepdims=True), signal.max(axis=(1, 2), keepdims=True)
    order = [0, 1, 2, 3, 5, 4, *range(6, 12)]
    with torch.no_grad():
        expected = network(torch.from_numpy(((signal - low) / (high - low))[:, order])).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-4)
    assert cli.main(arguments) == 2


def test_a_card_of_any_size_takes_its_rows_from_the_file(tmp_path, small):
    card = small("melp")
    [free] = card.checkpoint.any_rows
    file = tmp_path / "model.pth"
    published_files.write(file, "melp", card)
    changed(file, lambda content: content.update({f"ecg_encoder.{free}": torch.ones(5, 2)}))
    convert(file, "melp", tmp_path / "out")
    assert load_file(tmp_path / "out" / published.WEIGHTS)[free].shape == (5, 2)


@pytest.mark.long
@pytest.mark.parametrize("encoder", published.names())
def test_a_file_of_the_published_size_is_converted(tmp_path, encoder):
    card = published.card(encoder)
    with torch.device("meta"):
        network = card.network()
    state = {name: torch.ones(tensor.shape, dtype=tensor.dtype) for name, tensor in network.state_dict().items()}
    wrapper = next(iter(card.checkpoint.wrappers), None)
    torch.save({wrapper: state} if wrapper else state, tmp_path / "file.pth")
    made = convert(tmp_path / "file.pth", encoder, tmp_path / "out")
    assert made.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert (tmp_path / "out" / published.WEIGHTS).stat().st_size > 4 * made.parameters
