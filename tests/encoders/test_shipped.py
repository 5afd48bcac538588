"""The files of the shipped encoder: complete, small, pinned, and those that its card and probes speak of."""

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

import cgdmer
from cgdmer.encoders import cgdmer_base
from cgdmer.errors import DataError
from cgdmer.models import weights
from cgdmer.probing import linear_probe_io
from cgdmer.settings import read
from cgdmer.sharing import about, half
from cgdmer.signals import canonical
from cgdmer.signals.leads import LEADS
from cgdmer.simulator import draw_cases, simulate

FOLDER = cgdmer_base.FOLDER
PROFILE = Path(__file__).parents[2] / "params/probes.yaml"
SHIPPED = (FOLDER / weights.CONFIG).is_file()
needs_files = pytest.mark.skipif(not SHIPPED, reason="this checkout has no cgdmer/base yet: make encoder")
TASKS = ("ptb_xl_super", "ptb_xl_sub", "ptb_xl_form", "ptb_xl_rhythm", "cpsc2018", "csn")


def test_a_digest_is_pinned_exactly_while_an_encoder_is_shipped():
    assert weights.digest(FOLDER) == cgdmer_base.DIGEST if SHIPPED else cgdmer_base.DIGEST == ""


@needs_files
def test_the_weights_are_small_and_in_half_precision():
    assert (FOLDER / weights.WEIGHTS).stat().st_size <= half.MAX_BYTES == 12_000_000
    stored = load_file(FOLDER / weights.WEIGHTS)
    large = {tensor.numel() >= half.SMALL: tensor.dtype for tensor in stored.values() if tensor.is_floating_point()}
    assert large == {True: torch.float16, False: torch.float32}


@needs_files
def test_every_task_has_a_probe_of_these_weights_and_a_number_on_the_card():
    stated, encoder = about.read(FOLDER), cgdmer.load_encoder()
    assert stated.digest == encoder.digest
    assert set(stated.probes) == set(TASKS)
    assert stated.probes_saw == "simulated"
    card = ModelCard((FOLDER / "README.md").read_text())
    values = {result.dataset_type: result.metric_value for result in card.data.eval_results}
    for task, cell in stated.probes.items():
        probe = linear_probe_io.load(FOLDER / about.PROBES / f"{task}{linear_probe_io.SUFFIX}")
        probe.check_fits(encoder.digest, encoder.dims, "pooled")
        assert values[task] == cell.mean
        assert {layer.coef.dtype for layer in probe.layers.values()} == {np.dtype(np.float32)}


@needs_files
def test_the_probes_were_fitted_on_the_corpora_of_their_profile():
    sizes = {source: corpus["records"] for source, corpus in read(PROFILE)["corpora"].items()}
    assert {source: corpus.records for source, corpus in about.read(FOLDER).corpora.items()} == sizes


@needs_files
def test_it_tells_atrial_fibrillation_from_sinus_rhythm_offline():
    encoder = cgdmer.load_encoder()
    cases = draw_cases(7, 0, 400)
    fibrillating = [case.rhythm == "atrial_fibrillation" for case in cases]
    chosen = sorted(range(len(cases)), key=lambda number: not fibrillating[number])
    positive = min(12, sum(fibrillating))
    chosen = [*chosen[:positive], *chosen[-12:]]
    signals = [simulate([cases[number]], 7, number, 10.0, 500.0)[0] for number in chosen]
    form = encoder.form
    rows = [canonical(signal.astype(np.float32) / 1000, 500.0, LEADS, form, form.seconds).signal for signal in signals]
    cosines = encoder.zero_shot(np.stack(rows).astype(np.float32) / 1000, ["atrial fibrillation"])[:, 0]
    wins = (cosines[:positive, None] > cosines[None, positive:]).mean()
    assert wins > 0.8


def test_a_folder_that_does_not_exist_is_named_with_what_may_be_named(tmp_path):
    with pytest.raises(DataError, match="there is no folder") as refused:
        cgdmer.load_encoder(tmp_path / "nothere")
    assert cgdmer_base.WORD in str(refused.value)
