"""Every profile in params/ is built at its own dimensions and makes one optimisation step on two records."""

import gc
from pathlib import Path

import polars as pl
import pytest
import torch

from benchmarks.report_encoder import CONFIGS, untrained
from cgdmer import settings
from cgdmer.datasets import splits
from cgdmer.models import weights
from cgdmer.models.cgdmer import Batch
from cgdmer.objectives import Objective
from cgdmer.objectives.targets import AMPLITUDES, MEASUREMENTS
from cgdmer.training.optimiser import adamw

PARAMS = Path(__file__).resolve().parents[1] / "params"
PROFILES = sorted(path.stem for path in PARAMS.glob("*.yaml"))
REPORTS = ["sinus rhythm . normal ecg .", "atrial fibrillation . left bundle branch block ."]


def profile(name, options=None):
    overlay = settings.merge(settings.read(PARAMS / f"{name}.yaml"), options or {})
    return settings.parse(settings.merge(settings.read(PARAMS / "demo.yaml"), overlay), name=name)


def two_records(chosen, model):
    generator = torch.Generator().manual_seed(0)
    signal = torch.randint(-800, 800, (2, 12, chosen.signal.samples), dtype=torch.int16, generator=generator)
    tokens = torch.from_numpy(model.tokenizer(REPORTS)) if model.tokenizer else torch.zeros(2, 8, dtype=torch.int32)
    return Batch(
        signal=signal, valid=torch.full((2,), chosen.signal.samples), missing=torch.zeros(2, 12, dtype=torch.bool),
        tokens=tokens, row=torch.arange(2), report=torch.arange(2), full=True,
        statement_tokens=tokens.long(), stated=torch.eye(2, dtype=torch.bool),
        measurements=torch.ones(2, len(MEASUREMENTS)), amplitudes=torch.ones(2, len(AMPLITUDES)),
    )  # fmt: skip


def sums(task):
    """Sum each parameter in float64: a copy of 240 million weights would need another gigabyte."""
    return {name: parameter.detach().sum(dtype=torch.float64).item() for name, parameter in task.named_parameters()}


@pytest.fixture(autouse=True)
def release_memory():
    yield
    gc.collect()


AUGMENTATION = {
    **dict.fromkeys(["noise", "wander", "mains", "shift"], 1.0), "gain": 0.1, "chest_gain": 0.1, "lost_leads": 0.5,
}  # fmt: skip
OPTIONS = {
    "model": {"pooling": "statistics"},
    "masking": {"light_ratio": 0.25},
    "objective": {"statements": 0.5, "measurements": 1.0, "amplitudes": 1.0, "cross_reconstruction": 0.5},
    "augmentation": AUGMENTATION,
}
"""Every option of the method; mains hum needs the sampling rate of `paper`."""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(pytest.param(name, {}, id=name) for name in PROFILES),
        pytest.param("paper", OPTIONS, id="paper with options", marks=pytest.mark.long),
    ],
)
def test_every_profile_makes_one_step_at_its_own_dimensions(name, options):
    chosen = profile(name, options)
    model = weights.create(
        chosen.model, chosen.masking, chosen.objective, chosen.signal, REPORTS, chosen.train.seed, untrained
    )
    task = Objective(model, chosen.objective, chosen.augmentation).train()
    optimiser, before = adamw(task, chosen.train), sums(task)

    noise = task.draw_noise(2, torch.Generator().manual_seed(0))
    loss = task(two_records(chosen, model), noise)["loss"]
    loss.backward()
    trained = {name: parameter for name, parameter in task.named_parameters() if parameter.requires_grad}
    assert loss.isfinite()
    assert [name for name, parameter in trained.items() if parameter.grad is None] == []
    assert all(torch.isfinite(parameter.grad.sum()) for parameter in trained.values())

    optimiser.step()
    moved = {name for name, value in sums(task).items() if value != before[name]}
    assert moved <= trained.keys()
    assert all(any(name.startswith(f"model.{part}.") for name in moved) for part, _ in model.named_children())


def test_a_profile_that_names_a_report_encoder_has_its_true_size_here():
    named = {name: profile(name).model.text for name in PROFILES}
    assert {text for text in named.values() if text} == CONFIGS.keys()
    with torch.device("meta"):  # sizes without values
        encoder, tokenizer = untrained(named["paper"], 128, 0)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 108_891_648  # BERT base without its pooler
    assert len(tokenizer) == 30522


def test_paper_pretrains_on_98_percent_of_the_subjects():
    patients = pl.Series([str(number) for number in range(20_000)])
    shares = splits.by_hash(patients, profile("paper").index).value_counts(normalize=True)
    by_split = dict(shares.iter_rows())
    assert by_split["train"] == pytest.approx(0.98, abs=0.003)
    assert by_split["val"] == pytest.approx(0.01, abs=0.002)
