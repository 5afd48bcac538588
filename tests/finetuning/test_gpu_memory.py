"""Fine-tuning on a GPU, which is played by a CPU: micro-batches, bf16, and the error when memory runs out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import paths, settings
from cgdmer.errors import TrainingStopped
from cgdmer.finetuning import runs, training
from cgdmer.finetuning.classifier import Classifier, load_backbone
from cgdmer.models import weights
from cgdmer.shards import open_shards

SOURCE, RECORDS = "cpsc2018", 24
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4 GiB."


class Watched(training.Signals):
    """Remembers how many records each read asked for."""

    def __init__(self, shards):
        super().__init__(shards, CPU)
        self.sizes = []

    def __call__(self, rows):
        self.sizes.append(len(rows))
        return super().__call__(rows)


@pytest.fixture
def signals(tmp_path):
    example.write(tmp_path, SOURCE, RECORDS)
    return Watched(open_shards(tmp_path / paths.shards(SOURCE)))


@pytest.fixture
def batch():
    labels = np.random.default_rng(0).integers(0, 2, (RECORDS, 3))
    return training.Labelled(np.random.default_rng(1).permutation(RECORDS), labels)


@pytest.fixture
def classifier(tmp_path):
    """A classifier whose every weight has a gradient: its head does not start at zero."""
    _, reports, _ = example.signals(RECORDS)
    model = weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, seed=5)
    weights.save(tmp_path / "model", model, example.SIGNAL, {})
    return example.awake(Classifier(load_backbone(tmp_path / "model", pretrained=True, seed=0)[0], 3))


def gradients(classifier, signals, batch):
    """Return the gradient of each weight after an update that changes none."""
    training.update(classifier, torch.optim.SGD(classifier.parameters(), lr=0.0), signals, batch, clip=1e9)
    return {name: parameter.grad.clone() for name, parameter in classifier.named_parameters()}


def test_micro_batches_of_unequal_sizes_give_the_gradient_of_the_whole_batch(classifier, signals, batch, monkeypatch):
    whole = gradients(classifier, signals, batch)
    monkeypatch.setattr(training, "records_at_once", lambda device, on_cpu: 7)
    divided = gradients(classifier, signals, batch)
    assert signals.sizes == [RECORDS, 6, 6, 6, 6]
    monkeypatch.setattr(training, "records_at_once", lambda device, on_cpu: 5)
    unequal = gradients(classifier, signals, batch)
    assert signals.sizes[-5:] == [5, 5, 5, 5, 4]
    for name, value in whole.items():
        assert value.abs().sum() > 0, name
        torch.testing.assert_close(divided[name], value, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(unequal[name], value, rtol=1e-4, atol=1e-6)


def test_no_layer_of_the_model_shares_statistics_between_records(classifier):
    kinds = {type(module).__name__ for module in classifier.modules()}
    assert "LayerNorm" in kinds
    assert not [kind for kind in kinds if "BatchNorm" in kind or "InstanceNorm" in kind]


def test_a_gpu_gets_few_records_at_once_and_a_cpu_the_whole_batch():
    ((positions, share),) = training.micro_batches(200, CPU)
    assert (positions.tolist(), share) == (list(range(200)), 1.0)
    divided = training.micro_batches(70, CUDA)
    assert [len(positions) for positions, _ in divided] == [24, 23, 23]
    assert np.concatenate([positions for positions, _ in divided]).tolist() == list(range(70))
    assert sum(share for _, share in divided) == pytest.approx(1.0)
    assert [len(training.micro_batches(count, CUDA)) for count in (1, 32, 33, 64)] == [1, 1, 2, 2]


def test_predictions_do_not_depend_on_how_many_records_a_device_takes(classifier, signals, monkeypatch):
    expected = training.predict(classifier, signals, np.arange(RECORDS))
    monkeypatch.setattr(training, "records_at_once", lambda device, on_cpu: 7)
    np.testing.assert_allclose(training.predict(classifier, signals, np.arange(RECORDS)), expected, atol=1e-5)
    assert signals.sizes == [RECORDS, 7, 7, 7, 3]


def test_a_gpu_trains_in_bf16_and_predicts_in_fp32(classifier, signals, batch, monkeypatch):
    assert (training.uses_bf16(CPU), training.uses_bf16(CUDA)) == (False, True)
    kinds = []
    classifier.head.register_forward_hook(lambda module, arguments, output: kinds.append(output.dtype))
    whole = gradients(classifier, signals, batch)
    monkeypatch.setattr(training, "uses_bf16", lambda device: True)
    rounded = gradients(classifier, signals, batch)
    training.predict(classifier, signals, np.arange(4))
    assert kinds == [torch.float32, torch.bfloat16, torch.float32]
    for name, value in whole.items():
        assert rounded[name].dtype == torch.float32
        assert (rounded[name] - value).norm() < 0.05 * value.norm(), name


def out_of_memory(*_, **__):
    raise torch.OutOfMemoryError(MESSAGE)


@pytest.mark.parametrize(("batch", "fix"), [(64, "finetune.batch: 16"), (12, "finetune.batch: 6"), (1, None)])
def test_a_run_that_is_out_of_memory_names_the_batch_that_halves_its_memory(batch, fix, monkeypatch):
    cohort = SimpleNamespace(train=SimpleNamespace(labels=np.eye(2, dtype=np.uint8), ids=["a", "b"]))
    monkeypatch.setattr(runs, "load_backbone", out_of_memory)
    with pytest.raises(TrainingStopped) as stopped:
        runs.run_once(cohort, SimpleNamespace(), np.arange(2), "fine-tuned", settings.Finetune(batch=batch), 0)
    assert stopped.value.problem == f"fine-tuning with finetune.batch: {batch}: CUDA out of memory"
    assert "free memory of the GPU and run it again" in stopped.value.fix
    assert f"set {fix} in params.yaml" in stopped.value.fix if fix else "set" not in stopped.value.fix
