"""`cgdmer export`: a folder that the hub and this package read, a card in the hub's form, a graph that agrees."""

import json
import shutil

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file
from support import example_pool, example_recordings

import cgdmer
from cgdmer import cli, settings
from cgdmer.errors import DataError
from cgdmer.files import sha256
from cgdmer.metrics_json import Metrics
from cgdmer.models import weights
from cgdmer.results import Cell
from cgdmer.sharing import card, onnx


@pytest.fixture
def model():
    return example_recordings.model()


def signal_of(encoder):
    return np.random.default_rng(0).normal(size=(2, 12, round(encoder.fs * encoder.seconds))).astype(np.float32)


def test_the_folder_holds_what_the_hub_expects_and_loads_to_the_same_encoder(model, tmp_path, capsys):
    assert cli.main(["export", str(model), "-o", str(tmp_path / "mine")]) == 0
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "tokenizer.json",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert f"{tmp_path / 'mine'}: {model} as README.md, config.json" in said
    assert "hf upload OWNER/NAME" in said
    assert ModelCard((tmp_path / "mine/README.md").read_text()).data.license == "other"
    own, shared = cgdmer.load_encoder(model), cgdmer.load_encoder(tmp_path / "mine")
    assert own.digest == shared.digest
    signal = signal_of(own)
    for name, values in own.encode(signal).items():
        np.testing.assert_array_equal(values, shared.encode(signal)[name])
    np.testing.assert_array_equal(own.encode_reports(["sinus rhythm"]), shared.encode_reports(["sinus rhythm"]))


def test_nothing_is_overwritten(model, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/README.md").write_text("mine")
    assert cli.main(["export", str(model), "-o", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine/README.md").read_text() == "mine"


def test_a_graph_that_fails_leaves_no_folder_behind(model, tmp_path, monkeypatch):
    def refuse(_encoder, _path):
        raise DataError("the graph differs", fix="report it")

    monkeypatch.setattr(onnx, "export", refuse)
    words = ["export", str(model), "-o", str(tmp_path / "mine")]
    assert cli.main([*words, "--onnx"]) == 3
    assert not list(tmp_path.iterdir())
    assert cli.main(words) == 0


def test_an_incomplete_model_is_not_exported(model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model/weights.safetensors").unlink()
    assert cli.main(["export", str(tmp_path / "model"), "-o", str(tmp_path / "mine")]) == 3
    assert not (tmp_path / "mine").exists()


def test_a_damaged_folder_is_refused_by_its_own_name(model, tmp_path):
    cli.main(["export", str(model), "-o", str(tmp_path / "mine")])
    state = load_file(tmp_path / "mine/model.safetensors")
    save_file({name: tensor + 1 for name, tensor in state.items()}, tmp_path / "mine/model.safetensors")
    with pytest.raises(DataError, match="differs from its sha256") as caught:
        cgdmer.load_encoder(tmp_path / "mine")
    assert str(tmp_path / "mine") in caught.value.problem


def metrics(folder, **versions):
    cell = Cell(0.8123, 0.7, 0.9, 100, 5, "canonical")
    named = {"model": sha256(folder / "weights.safetensors")[:16]} | versions
    return Metrics(auroc={"csn": {"1.0": {"cgdmer": {"pooled": cell}}}}, versions=named)


def test_the_card_is_one_of_the_hub_and_carries_the_results_of_these_weights(model):
    read = ModelCard(card.text(model, "mine", "mit", metrics(model)))
    assert read.data.license == "mit"
    assert read.data.library_name == "cgdmer"
    assert read.data.pipeline_tag == "feature-extraction"
    assert "ecg" in read.data.tags
    [result] = read.data.eval_results
    assert (result.dataset_type, result.metric_type, result.metric_value) == ("csn", "roc_auc", 0.8123)
    assert "cgdmer.load_encoder" in read.text
    config = json.loads((model / "config.json").read_text())
    assert f"{config['signal']['fs']:g} Hz" in read.text


@pytest.mark.parametrize("given", ["other weights", "no metrics"])
def test_results_of_other_weights_are_not_on_the_card(model, given):
    other = None if given == "no metrics" else metrics(model, model="0" * 16)
    assert ModelCard(card.text(model, "mine", "mit", other)).data.eval_results is None


def variant(folder, **changes):
    """Save a small model with other settings and return its encoder."""
    settings_of_model = example_pool.MODEL.model_copy(update=changes)
    sections = (settings_of_model, settings.Masking(), settings.Objective(), example_pool.SIGNAL)
    network = example_pool.awake(weights.create(*sections, ["slow rate", "fast rate"], 0))
    weights.save(folder, network, example_pool.SIGNAL, {})
    return cgdmer.load_encoder(folder)


VARIANTS = [{}, {"pooling": "statistics"}, {"pooling": "statistics", "leads": "independent"}]


@pytest.mark.parametrize("changes", VARIANTS)
def test_the_graph_module_agrees_with_the_encoder_before_it_is_exported(changes, tmp_path):
    encoder = variant(tmp_path / "model", **changes)
    signal, valid = signal_of(encoder), np.array([encoder.samples, encoder.samples // 2], np.int32)
    signal[0, 2:5] = 0
    signal[1, :, valid[1] :] = 0
    with torch.no_grad():
        computed = onnx.Graph(encoder)(torch.from_numpy(signal), torch.from_numpy(valid))
    for (name, values), one in zip(encoder.encode(signal, valid=valid).items(), computed, strict=True):
        np.testing.assert_allclose(one.numpy(), values, atol=1e-5, err_msg=name)


def test_an_encoder_on_another_device_stays_there_and_its_copy_is_exported(tmp_path, monkeypatch):
    """The device `meta` plays the GPU; `cpu` gives its tensors memory, since they have no values to move."""
    encoder = variant(tmp_path / "model")
    encoder.device, model = torch.device("meta"), encoder.model.to("meta")
    exported, compared = [], []
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: module.to_empty(device="cpu"))
    monkeypatch.setattr(torch.onnx, "export", lambda graph, inputs, path, **_: (exported.append(graph), path.touch()))
    monkeypatch.setattr(onnx, "parity", lambda one, path: compared.append(one) or 0.0)
    assert onnx.export(encoder, tmp_path / "encoder.onnx") == 0.0
    assert encoder.model is model
    assert encoder.device.type == "meta"
    assert {tensor.device.type for tensor in [*model.parameters(), *model.buffers()]} == {"meta"}
    ((graph,), (twin,)) = exported, compared
    assert graph.model is twin.model is not model
    assert {tensor.device.type for tensor in [*graph.parameters(), *graph.buffers()]} == {"cpu"} == {twin.device.type}
    assert not any(module.training for module in graph.modules())


def test_the_copy_on_the_cpu_is_the_encoder_to_the_bit(model):
    encoder = cgdmer.load_encoder(model)
    twin = onnx.on_cpu(encoder)
    own = {tensor.data_ptr() for tensor in encoder.model.parameters()}
    assert not own & {tensor.data_ptr() for tensor in twin.model.parameters()}
    signal = signal_of(encoder)
    for name, values in twin.encode(signal).items():
        np.testing.assert_array_equal(values, encoder.encode(signal)[name])


@pytest.mark.long
def test_the_graph_of_the_shipped_encoders_options_agrees_with_the_encoder(tmp_path):
    pytest.importorskip("onnxruntime")
    encoder = variant(tmp_path / "model", **VARIANTS[-1])
    assert onnx.export(encoder, tmp_path / "encoder.onnx") <= onnx.TOLERANCE == 1e-4
    assert onnx.parity(encoder, tmp_path / "encoder.onnx") > 0, "two programs that never differ are one"


@pytest.mark.long
def test_the_graph_agrees_with_the_encoder_and_a_graph_that_does_not_is_refused(model, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    assert cli.main(["export", str(model), "-o", str(tmp_path / "mine"), "--onnx"]) == 0
    assert "differs from the encoder by" in capsys.readouterr().out
    encoder = cgdmer.load_encoder(model)
    assert onnx.parity(encoder, tmp_path / "mine/encoder.onnx") <= 1e-4
    monkeypatch.setattr(onnx, "parity", lambda *_: 2e-4)
    with pytest.raises(DataError, match=r"differs from the encoder by 0\.0002"):
        onnx.export(encoder, tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()
