"""Tokens of the independent leads only: I and II from other limb leads, and a model that reads any choice of leads."""

from itertools import combinations

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import settings
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.models.independent_leads import gives_a_token, independent_leads, with_computed_limb
from cgdmer.signals.leads import INDEPENDENT, LEADS, LEADS_OF_ELECTRODES, LIMB


def ecg(records=3, samples=50, seed=0):
    """Return consistent leads, float32 (B, 12, T)."""
    electrodes = np.random.default_rng(seed).normal(size=(records, 9, samples)).astype(np.float32)
    return torch.from_numpy(np.einsum("le,bet->blt", LEADS_OF_ELECTRODES, electrodes))


@pytest.mark.parametrize("kept", list(combinations(range(LIMB), 2)), ids=str)
def test_any_two_limb_leads_give_i_and_ii(kept):
    signal = ecg()
    missing = torch.ones(3, 12, dtype=torch.bool)
    missing[:, [*kept, *range(LIMB, 12)]] = False
    missing[0] = False  # beside a whole record
    filled, lost = independent_leads(signal * ~missing[:, :, None], missing)
    assert torch.allclose(filled, signal[:, INDEPENDENT], atol=1e-5)
    assert not lost.any()


def test_one_other_limb_lead_leaves_i_and_ii_missing_and_whole_records_as_they_are():
    signal, missing = ecg(), torch.zeros(3, 12, dtype=torch.bool)
    missing[1, [0, 1, 2, 3, 4]] = True
    missing[2, 8] = True
    filled, lost = independent_leads(signal, missing)
    assert torch.equal(filled[[0, 2]], signal[[0, 2]][:, INDEPENDENT])
    assert lost[1].tolist() == [True, True] + 6 * [False]
    assert lost[2].nonzero().flatten().tolist() == [4]
    whole = torch.zeros_like(missing)
    for one, other in zip(independent_leads(signal, whole), with_computed_limb(signal, whole), strict=True):
        assert torch.equal(one, other)


@pytest.fixture(scope="module")
def encoder():
    model = example.MODEL.model_copy(update={"leads": "independent"})
    network = weights.create(model, settings.Masking(), settings.Objective(), example.SIGNAL, ["a b c", "d e"], 0)
    torch.nn.init.normal_(network.ecg_encoder.transformer.blocks[0].out.weight, std=0.1)
    return Pretrained("tiny", network, example.SIGNAL)


def test_derived_leads_change_no_feature_and_the_other_leads_do(encoder):
    signal = ecg(samples=encoder.samples).numpy()
    whole = encoder.encode(signal)["shared"]
    changed = signal.copy()
    changed[:, 6] *= -1
    assert np.abs(encoder.encode(changed)["shared"] - whole).max() > 1e-3
    lost = signal.copy()
    lost[:, 0] = 0  # lead I is computed from the others; only the scale of the record is slightly another
    assert np.corrcoef(encoder.encode(lost)["shared"].ravel(), whole.ravel())[0, 1] > 0.99


def test_a_choice_of_leads_by_name_equals_missing_leads(encoder):
    signal = ecg(samples=encoder.samples).numpy()
    chosen = ["II", "V3", "aVL"]
    rows = [LEADS.index(name) for name in chosen]
    zeros = np.zeros_like(signal)
    zeros[:, rows] = signal[:, rows]
    by_name, by_zeros = encoder.encode(signal[:, rows], leads=chosen), encoder.encode(zeros)
    assert np.allclose(by_name["shared"], by_zeros["shared"], atol=1e-5)


def test_a_lead_that_gives_no_token_is_refused(encoder):
    signal = ecg(samples=encoder.samples).numpy()
    with pytest.raises(ConfigError, match="lead aVF alone"):
        encoder.encode(signal[:, [5]], leads=["aVF"])
    assert np.isfinite(encoder.encode(signal[:, [4, 5]], leads=["aVL", "aVF"])["shared"]).all()
    assert [gives_a_token(leads) for leads in ([5], [], [0], [4, 5], [11])] == [False, False, True, True, True]


def test_a_step_hides_and_predicts_tokens_of_eight_leads(encoder):
    network = encoder.model
    noise = network.draw_noise(2, torch.Generator().manual_seed(0))
    assert noise["token"].shape[1] == len(INDEPENDENT)
    batch = {
        "signal": ecg(2, encoder.samples), "valid": torch.full((2,), encoder.samples),
        "missing": torch.zeros(2, 12, dtype=torch.bool), "full": True, "tokens": torch.ones(2, 4, dtype=torch.long),
    }  # fmt: skip
    outputs = network(batch, noise)
    patches = len(INDEPENDENT) * network.columns
    assert outputs["hidden_patches"].shape == (2, patches)
    assert outputs["predicted_patches"].shape == outputs["target_patches"].shape == (2, patches, network.settings.patch)


def test_computed_leads_are_not_rounded_to_bf16_in_training():
    signal, missing = ecg(), torch.zeros(3, 12, dtype=torch.bool)
    missing[:, [0, 1, 4, 5]] = True
    expected, _ = independent_leads(signal * ~missing[:, :, None], missing)
    with torch.autocast("cpu", torch.bfloat16):
        computed, _ = independent_leads(signal * ~missing[:, :, None], missing)
    assert torch.equal(computed, expected)
