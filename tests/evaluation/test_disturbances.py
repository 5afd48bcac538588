"""Disturbances do what their names say: exchanged electrodes by the leads' own definition, noise of the stated size."""

import numpy as np
import pytest
from pydantic import ValidationError

from cgdmer.evaluation.disturbances import bursts, disturb, name_of, noise
from cgdmer.settings import Drop, Exchange, Noise, Signal
from cgdmer.signals.leads import ELECTRODES, LEADS_OF_ELECTRODES, LIMB, identity_residual

FORM = Signal(fs=100.0, seconds=4.0)
VALID = np.array([400, 400, 300])
IDS = ["a", "b", "c"]


@pytest.fixture
def potentials():
    """Electrode potentials (3, 9, 400) in mV."""
    return np.random.default_rng(0).normal(size=(3, len(ELECTRODES), 400)).astype(np.float32)


def run(signal, disturbance, seed=0, ids=IDS):
    return disturb(signal, VALID, ids, disturbance, FORM, seed)


@pytest.mark.parametrize("pair", [("RA", "LA"), ("RA", "LL"), ("LA", "LL"), ("V1", "V2"), ("V3", "V6")])
def test_exchanged_electrodes_equal_recording_with_them_exchanged(potentials, pair):
    order = list(range(len(ELECTRODES)))
    first, second = (ELECTRODES.index(name) for name in pair)
    order[first], order[second] = second, first
    disturbed = run(LEADS_OF_ELECTRODES @ potentials, Exchange(kind="exchange", electrodes=list(pair)))
    np.testing.assert_allclose(disturbed, LEADS_OF_ELECTRODES @ potentials[:, order], atol=1e-5)


@pytest.mark.parametrize("electrodes", [["RA", "V1"], ["LA", "LA"]])
def test_an_exchange_that_is_none_of_leads_is_refused(electrodes):
    with pytest.raises(ValidationError, match="both on the limbs or both on the chest"):
        Exchange(kind="exchange", electrodes=electrodes)


@pytest.mark.parametrize("kind", ["white", "muscle"])
def test_noise_has_the_stated_root_mean_square_at_every_electrode(kind):
    disturbed = noise(Noise(kind=kind, mv=0.2), 4000, 100.0, np.random.default_rng(1))
    np.testing.assert_allclose(np.sqrt(np.square(disturbed).mean(axis=1)), 0.2, rtol=0.05)


def test_muscle_noise_is_fast_and_comes_in_bursts_and_wander_is_slow():
    burst = bursts(np.random.default_rng(1).normal(size=(9, 4000)), 100.0, np.random.default_rng(2))
    power, frequency = np.square(np.abs(np.fft.rfft(burst))).sum(0), np.fft.rfftfreq(4000, 0.01)
    assert power[frequency > 18].sum() > 0.95 * power.sum()
    loud = np.sqrt(np.square(burst.reshape(9, -1, 25)).mean(2))
    assert (loud.max(1) > 2.5 * np.median(loud, 1)).all()
    drift = noise(Noise(kind="wander", mv=1.0), 4000, 100.0, np.random.default_rng(3))
    assert np.abs(drift).max() == pytest.approx(1.0, abs=0.01)
    power = np.square(np.abs(np.fft.rfft(drift))).sum(0)
    assert power[frequency < 0.6].sum() > 0.95 * power.sum()


def test_tremor_has_one_frequency_and_its_harmonic_and_is_stronger_on_the_limbs():
    shaken = noise(Noise(kind="tremor", mv=0.4), 4000, 100.0, np.random.default_rng(4))
    power, frequency = np.square(np.abs(np.fft.rfft(shaken))), np.fft.rfftfreq(4000, 0.01)
    strongest = frequency[power.argmax(1)]
    assert (abs(strongest - strongest[0]) < 0.5).all(), "all electrodes tremble at one frequency"
    assert 3.5 < strongest[0] < 7.5
    near = (abs(frequency - strongest[0]) < 1) | (abs(frequency - 2 * strongest[0]) < 1)
    assert power[:, near].sum() > 0.99 * power.sum()
    peaks = np.abs(shaken).max(1)
    assert peaks.max() < 0.4 * 1.4
    assert peaks[:3].mean() > 2 * peaks[3:].mean()


@pytest.mark.parametrize("kind", ["white", "muscle", "wander", "tremor"])
def test_noise_keeps_limb_identities_padding_and_leads_that_were_not_recorded(potentials, kind):
    signal = LEADS_OF_ELECTRODES @ potentials
    signal[2, :, 300:] = 0
    signal[1, 8] = 0
    disturbed = run(signal, Noise(kind=kind, mv=0.5))
    assert identity_residual(disturbed[0, :LIMB]) < 1e-5
    assert not disturbed[2, :, 300:].any()
    assert not disturbed[1, 8].any()
    assert (disturbed[0] != signal[0]).any(axis=1).all()


def test_what_is_added_depends_on_record_and_seed_alone(potentials):
    signal, white = LEADS_OF_ELECTRODES @ potentials, Noise(kind="white", mv=0.1)
    whole = run(signal, white)
    alone = disturb(signal[1:2], VALID[1:2], ["b"], white, FORM, 0)
    np.testing.assert_array_equal(alone[0], whole[1])
    assert not np.array_equal(run(signal, white, seed=1)[1], whole[1])
    assert not np.array_equal(whole[0] - signal[0], whole[1] - signal[1])


def test_lost_leads_are_zero_and_at_least_one_is_left(potentials):
    signal = LEADS_OF_ELECTRODES @ potentials
    signal[1, 2:] = 0
    lost = (run(signal, Drop(kind="drop", leads=3)) == 0).all(axis=2).sum(axis=1)
    assert lost.tolist() == [3, 11, 3]


def test_names_say_what_and_how_much():
    each = [Noise(kind="white", mv=0.1), Exchange(kind="exchange", electrodes=["RA", "LA"]), Drop(kind="drop", leads=1)]
    assert [name_of(one) for one in each] == ["white noise 0.1 mV", "RA and LA exchanged", "1 lead lost"]
