"""The form of a network's input: what the originals read, from the raw recordings; cuts, padding, windows and leads."""

import numpy as np
import pytest
from support import peers

from cgdmer.encoders import published
from cgdmer.encoders.beat_tokens import BeatTokens
from cgdmer.encoders.form import Form, all_leads, inputs
from cgdmer.encoders.steps import MinMax, ZScore
from cgdmer.signals.leads import HEXAXIAL, LEADS

ALL = published.names()


@pytest.mark.parametrize("name", ALL)
def test_a_raw_recording_becomes_what_the_original_read(name, real, peer_folder):
    form = published.card(name).form
    fs = 100.0 if form.fs == 100 else 500.0
    signal = peers.recordings(real, fs)
    read = inputs(form, signal, fs, np.full(2, signal.shape[2]))
    windows = len(read.record) // 2
    expected = np.load(peer_folder(name) / "input.npy")
    np.testing.assert_allclose(read.arrays[0][::windows], expected, rtol=0, atol=1e-5)
    if form.tokens:
        for array, file in zip(read.arrays[1:], ("input_in_chans", "input_in_times"), strict=True):
            assert np.array_equal(array, np.load(peer_folder(name) / f"{file}.npy"))


def ramp(records=2, seconds=10.0, fs=100.0):
    """Return signals (B, 12, T) whose values tell record, lead and time apart."""
    samples = round(seconds * fs)
    return (np.arange(records)[:, None, None] * 100 + np.arange(12)[:, None] * 10 + np.arange(samples) / fs).astype(
        np.float32
    )


def form(**changed):
    return Form(**({"fs": 100.0, "seconds": 4.0, "leads": ("II", "V1", "I"), "width": 3} | changed))


def test_leads_come_in_the_networks_order_and_a_longer_record_is_cut():
    read = inputs(form(), ramp(), 100.0, np.array([1000, 1000]))
    rows = [LEADS.index(lead) for lead in ("II", "V1", "I")]
    assert np.array_equal(read.arrays[0], ramp()[:, rows, :400])
    assert read.record.tolist() == [0, 1]


def test_absent_limb_leads_are_derived_and_others_are_zero():
    chest, limb = np.random.default_rng(0).normal(size=(2, 2, 30)), np.random.default_rng(1).normal(size=(2, 2, 30))
    whole = np.concatenate([np.einsum("lk,bkt->blt", HEXAXIAL, limb), chest], axis=1).astype(np.float32)
    given = [1, 4, 6]  # II, aVL, V1
    full, present = all_leads(whole[:, given], given)
    np.testing.assert_allclose(full[:, :7], whole[:, :7], atol=1e-5)
    assert not full[:, 7:].any()
    assert sorted(present) == [0, 1, 2, 3, 4, 5, 6]
    alone, present = all_leads(whole[:, [1, 6]], [1, 6])
    assert present == [1, 6]
    assert not alone[:, [0, 2, 3, 4, 5]].any()


def test_absent_leads_are_omitted_and_the_others_numbered_where_the_form_says_so():
    wanted = form(leads=("V2", "II", "V1", "I"), absent="omitted")
    read = inputs(wanted, ramp(), 100.0, np.array([1000, 400]), present=[0, 1, 7])
    assert np.array_equal(read.arrays[0], ramp()[:, [7, 1, 0], :400])
    assert read.arrays[1].tolist() == [[0, 1, 3]] * 2
    nothing = inputs(wanted, ramp(1), 100.0, np.array([400]), present=[2])
    assert nothing.arrays[1].tolist() == [[0, 1, 2, 3]]


def test_a_shorter_record_is_padded_with_zeros_before_or_after_it_is_scaled():
    signal = ramp(1) + 5
    whole = inputs(form(scale=MinMax("record")), signal, 100.0, np.array([200])).arrays[0]
    cut = inputs(form(scale=MinMax("record"), scaled="cut"), signal, 100.0, np.array([200])).arrays[0]
    assert (whole[..., :200].min(), whole[..., :200].max()) == pytest.approx((0, 1), abs=1e-6)
    assert not whole[..., 200:].any()
    low, high = signal[:, [0, 1, 6], :200].min(), signal[:, [0, 1, 6], :200].max()
    assert not cut[..., 200:].any()
    np.testing.assert_allclose(cut[0, 0, :200], signal[0, 1, :200] / high, atol=1e-6)
    assert low > 0


def test_the_whole_record_is_scaled_before_it_is_cut():
    read = inputs(form(scale=ZScore("lead")), ramp(1), 100.0, np.array([1000])).arrays[0]
    lead = ramp(1)[0, 1]
    np.testing.assert_allclose(read[0, 0], ((lead - lead.mean()) / lead.std())[:400], atol=1e-5)


def test_windows_are_the_whole_ones_in_order_and_their_features_are_averaged():
    read = inputs(form(windows=True), ramp(3), 100.0, np.array([1000, 300, 800]))
    assert read.record.tolist() == [0, 0, 1, 2, 2]
    assert np.array_equal(read.arrays[0][1], ramp(3)[0, [1, 6, 0], 400:800])
    assert not read.arrays[0][2][:, 300:].any()
    features = np.array([[1.0], [3.0], [5.0], [2.0], [4.0]], np.float32)
    assert read.averaged(features).tolist() == [[2.0], [5.0], [3.0]]
    assert read.averaged(features).dtype == np.float32


@pytest.mark.parametrize("name", ALL)
def test_padding_changes_nothing_and_records_do_not_see_each_other(name):
    signal = np.random.default_rng(0).normal(size=(3, 12, 700)).astype(np.float32)
    valid = np.array([700, 400, 700])
    together = inputs(published.card(name).form, signal, 100.0, valid)
    for record in range(3):
        alone = inputs(
            published.card(name).form,
            signal[record : record + 1, :, : valid[record]],
            100.0,
            valid[record : record + 1],
        )
        for both, one in zip(together.arrays, alone.arrays, strict=True):
            np.testing.assert_allclose(both[together.record == record], one, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("samples", [1, 7, 100])
def test_very_short_and_constant_records_give_numbers(name, samples):
    wanted = published.card(name).form
    for signal in (np.zeros((1, 12, samples)), np.full((1, 12, samples), 30.0)):
        read = inputs(wanted, signal.astype(np.float32), 100.0, np.array([samples]))
        assert all(np.isfinite(array).all() for array in read.arrays)


@pytest.mark.parametrize("scale", [MinMax("lead"), ZScore("lead")])
def test_a_constant_lead_stays_zero_although_resampling_leaves_ripples(scale):
    signal = ramp(1)
    signal[0, 1] = 30.0
    read = inputs(form(fs=250.0, scale=scale), signal, 100.0, np.array([1000])).arrays[0]
    assert not read[0, 0].any()
    assert read[0, 1].any()


def test_tokens_are_made_of_the_record_without_padding():
    seen = []

    class Spy(BeatTokens):
        def __call__(self, signal, fs):
            seen.append(signal.shape)
            return super().__call__(signal, fs)

    wanted = form(tokens=Spy(count=20, samples=96, detection_lead=2))
    read = inputs(wanted, ramp(2), 100.0, np.array([250, 1000]))
    assert sorted(seen) == [(3, 250), (3, 400)]
    assert [array.shape for array in read.arrays] == [(2, 20, 96), (2, 20), (2, 20)]
