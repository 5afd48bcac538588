"""Disturbances: of the stated size, at the electrodes, never in padding or on missing leads, each record by itself."""

import numpy as np
import pytest
import torch

from cgdmer.errors import ConfigError
from cgdmer.models.cgdmer import Batch
from cgdmer.objectives.augmentation import LOST_SHARE, MAINS_HZ, MAINS_MV, NOISE_MV, WANDER_HZ, WANDER_MV, Augmentation
from cgdmer.settings import Augmentation as Settings
from cgdmer.settings import Signal
from cgdmer.signals.leads import IDENTITIES, LEADS_OF_ELECTRODES, LIMB

SIGNAL = Signal(fs=250.0, seconds=8.0)
SAMPLES = 2000
EVERYTHING = {"noise": 1.0, "wander": 1.0, "mains": 1.0, "gain": 0.2, "chest_gain": 0.2, "lost_leads": 1.0}


def batch(records=64, short=False):
    """Return records whose leads come from electrode potentials, so that the identities between limb leads hold."""
    potentials = np.random.default_rng(0).normal(size=(records, 9, SAMPLES))
    microvolt = torch.from_numpy((1000 * LEADS_OF_ELECTRODES @ potentials).round().astype(np.int16))
    valid, missing = torch.full((records,), SAMPLES), torch.zeros(records, 12, dtype=torch.bool)
    if short:
        valid[::2], missing[1, 3:] = 700, True
    rows = torch.arange(records)
    return Batch(
        signal=microvolt, valid=valid, missing=missing, tokens=rows[:, None].int(), row=rows, report=rows,
        full=not short,
    )  # fmt: skip


def disturbed(records, **chosen):
    augmentation = Augmentation(Settings(**chosen), SIGNAL)
    noise = augmentation.draw(len(records["row"]), torch.Generator().manual_seed(0))
    return augmentation(records, noise)


def added(**chosen):
    """Return what is added to silent records, mV (64, 12, 2000)."""
    silent = batch()
    silent["signal"] = torch.zeros_like(silent["signal"])
    return disturbed(silent, **chosen)["signal"]


def power(signal, low, high):
    """Return the share of the power between two frequencies."""
    spectrum = torch.fft.rfft(signal.double()).abs().square()
    hertz = torch.fft.rfftfreq(signal.shape[2], 1 / SIGNAL.fs)
    return (spectrum[..., (hertz >= low) & (hertz <= high)].sum() / spectrum.sum()).item()


def test_padding_missing_leads_and_the_stored_batch_stay_as_they_are():
    records = batch(short=True)
    before = records["signal"].clone()
    out = disturbed(records, **EVERYTHING)
    clean = before.float() / 1000
    assert torch.equal(records["signal"], before)
    assert not records["missing"][0].any()
    assert torch.allclose(out["signal"][::2, :, 700:], clean[::2, :, 700:])
    assert torch.allclose(out["signal"][1, 3:], clean[1, 3:])
    assert not torch.isclose(out["signal"][0, 0, :700], clean[0, 0, :700], atol=1e-6).all()
    assert out["missing"][1, 3:].all()
    assert not out["full"]


def test_switched_off_it_only_scales_to_millivolt():
    records = batch()
    out = disturbed(records)
    assert torch.allclose(out["signal"], records["signal"].float() / 1000)
    assert torch.equal(out["missing"], records["missing"])
    assert out["full"]


def test_identities_between_limb_leads_survive_everything():
    clean = batch()["signal"].double() / 1000
    out = disturbed(batch(), **EVERYTHING)["signal"].double()
    identities = torch.from_numpy(IDENTITIES).double()
    assert (identities @ out[:, :LIMB]).abs().max() < 2 * (identities @ clean[:, :LIMB]).abs().max()


def test_white_and_muscle_noise_have_the_stated_size_and_colour():
    chest = added(noise=1.0)[:, LIMB:]
    sizes = (chest**2).mean((1, 2)).sqrt()
    at_lead = (1 + 3 / 9) ** 0.5  # of an electrode's noise, against Wilson's terminal
    assert sizes.min() > 0.9 * NOISE_MV[0]
    assert sizes.max() < 1.3 * at_lead * NOISE_MV[1]
    low = torch.stack([torch.tensor(power(record[None], 0, 20)) for record in chest])
    white, muscle = low > 0.1, low < 0.05
    assert (white | muscle).all()
    assert 16 < white.sum() < 48


def test_wander_and_mains_have_the_stated_frequency_and_size():
    slow, hum = added(wander=1.0), added(mains=1.0)
    assert power(slow, 0, WANDER_HZ[1] + 0.3) > 0.98
    assert 0.3 < slow[:, LIMB:].abs().max() < 4 * WANDER_MV
    assert sum(power(hum, hertz - 1, hertz + 1) for hertz in MAINS_HZ) > 0.95
    assert hum.abs().max() < 2 * MAINS_MV


@pytest.mark.parametrize("kind", ["noise", "wander", "mains"])
def test_a_probability_is_the_share_of_disturbed_records(kind):
    share = added(**{kind: 0.5}).ne(0).any(2).any(1).float().mean()
    assert 0.3 < share < 0.7


def test_gains_are_one_factor_for_the_record_and_one_for_each_chest_lead():
    clean = batch()["signal"].float() / 1000
    factors = (disturbed(batch(), gain=0.2, chest_gain=0.1)["signal"] * clean).sum(2) / clean.square().sum(2)  # (B, 12)
    assert torch.allclose(factors[:, :LIMB], factors[:, :1].expand(-1, LIMB), atol=1e-4)
    assert factors[:, 0].log().std().item() == pytest.approx(0.2, rel=0.3)
    assert (factors[:, LIMB:] / factors[:, :1]).log().std().item() == pytest.approx(0.1, rel=0.2)


def test_lost_leads_are_missing_and_never_all():
    records = batch(512)
    records["missing"][:256, 1:] = True
    lost = disturbed(records, lost_leads=1.0)["missing"] & ~records["missing"]
    assert not lost[:256].any()
    assert lost[256:].float().mean().item() == pytest.approx(LOST_SHARE / 2, rel=0.2)
    assert not lost.all(1).any()
    some = disturbed(batch(512), lost_leads=0.3)["missing"].any(1).float().mean()
    assert 0.1 < some < 0.3  # a record that loses leads may lose none


def test_a_record_is_disturbed_alike_in_any_division_of_its_batch():
    records, augmentation = batch(), Augmentation(Settings(**EVERYTHING), SIGNAL)
    noise = augmentation.draw(64, torch.Generator().manual_seed(0))
    whole = augmentation(records, noise)
    rows = slice(20, 31)
    part = {name: value[rows] if isinstance(value, torch.Tensor) else value for name, value in records.items()}
    out = augmentation(part, {name: value[rows] for name, value in noise.items()})
    assert torch.allclose(out["signal"], whole["signal"][rows], atol=1e-6)
    assert torch.equal(out["missing"], whole["missing"][rows])


def test_half_precision_around_it_changes_nothing():
    records, chosen = batch(4), {**EVERYTHING, "noise": 1.0}
    plain = disturbed(records, **chosen)["signal"]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(disturbed(records, **chosen)["signal"], plain)


def test_mains_hum_needs_a_sampling_rate_that_holds_it():
    with pytest.raises(ConfigError, match=r"signal\.fs above 120"):
        Augmentation(Settings(mains=0.1), Signal(fs=100.0))


def test_a_record_begins_later_and_ends_in_padding():
    records = batch(256, short=True)
    augmentation = Augmentation(Settings(shift=2.0), SIGNAL)
    noise = augmentation.draw(256, torch.Generator().manual_seed(0))
    later = augmentation.shifted(records, noise)
    begin = (records["valid"] - later["valid"]).tolist()
    assert 400 < max(begin) < 500
    assert max(begin[::2]) == 350  # half of a record of 700 samples
    assert min(begin) < 20
    for row, cut in enumerate(begin):
        valid = int(records["valid"][row])
        assert torch.equal(later["signal"][row, :, : valid - cut], records["signal"][row, :, cut:valid])
        assert not later["signal"][row, :, valid - cut :].any()
    assert later["signal"].dtype == records["signal"].dtype
    assert not later["full"]


def test_without_shift_nothing_moves_and_other_draws_are_the_same():
    records, plain = batch(8), Augmentation(Settings(noise=0.5), SIGNAL)
    assert plain.shifted(records, {}) is records
    moving = Augmentation(Settings(noise=0.5, shift=1.0), SIGNAL)
    drawn, also = (one.draw(8, torch.Generator().manual_seed(3)) for one in (plain, moving))
    assert set(also) - set(drawn) == {"shift"}
    assert all(torch.equal(also[name], value) for name, value in drawn.items())
