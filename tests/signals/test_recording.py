"""The canonical form: what it keeps, what it notes, and what it refuses."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from cgdmer.archives import open_archive
from cgdmer.errors import RecordError
from cgdmer.settings import Signal
from cgdmer.signals import LEADS, canonical
from cgdmer.signals.leads import HEXAXIAL
from cgdmer.waveforms import read_record

DEMO = Signal()
FS = 500.0


def recording(seconds: float = 10.0, fs: float = FS, seed: int = 0) -> np.ndarray:
    """Return twelve consistent leads in mV, float32 (12, T): beats with a drift."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fs)) / fs
    heart = rng.normal(size=(8, 1)) * sum(np.exp(-((t - c) ** 2) / (2 * 0.015**2)) for c in np.arange(0.4, 11, 0.9))
    heart += 0.2 * np.sin(2 * np.pi * 0.2 * t + rng.normal(size=(8, 1))) + 0.01 * rng.normal(size=(8, len(t)))
    return np.concatenate([HEXAXIAL @ heart[:2], heart[2:]]).astype(np.float32)


def spoiled(signal: np.ndarray, where: object, value: float) -> np.ndarray:
    signal = signal.copy()
    signal[where] = value
    return signal


SIGNAL = recording()


def test_is_twelve_leads_of_microvolt_at_the_canonical_rate_and_length():
    record = canonical(SIGNAL, FS, LEADS, DEMO, 10.0)
    assert record.signal.shape == (12, 1000)
    assert record.signal.dtype == np.int16
    assert record.valid == 1000
    assert 500 < record.quality["amplitude_uv"] < 5000
    assert record.quality["amplitude_uv"] == np.abs(record.signal).max()
    assert [record.quality[name] for name in ("missing", "flat", "bridged")] == [0, 0, 0]
    assert record.quality["clipped"] < 0.001
    assert record.quality["identity_uv"] < 1


@given(order=st.permutations(range(12)), upper=st.booleans())
@limits(max_examples=20)
def test_order_and_case_of_the_leads_do_not_matter(order, upper):
    names = [LEADS[k].upper() if upper else LEADS[k] for k in order]
    record, expected = canonical(SIGNAL[order], FS, names, DEMO, 10.0), canonical(SIGNAL, FS, LEADS, DEMO, 10.0)
    assert (record.signal == expected.signal).all()
    assert record.quality == expected.quality


@given(gain=st.floats(0.1, 4.0))
@limits(max_examples=20)
def test_a_gain_passes_through(gain):
    once = canonical(SIGNAL, FS, LEADS, DEMO, 10.0).signal
    assert np.abs(canonical(SIGNAL * np.float32(gain), FS, LEADS, DEMO, 10.0).signal - gain * once).max() <= 0.51 + gain


@given(offset=st.floats(-5.0, 5.0))
@limits(max_examples=20)
def test_an_offset_vanishes(offset):
    once = canonical(SIGNAL, FS, LEADS, DEMO, 10.0).signal.astype(int)
    assert np.abs(canonical(SIGNAL + np.float32(offset), FS, LEADS, DEMO, 10.0).signal - once).max() <= 1


def test_in_band_signal_survives_a_second_time():
    once = canonical(SIGNAL, FS, LEADS, DEMO, 10.0).signal
    twice = canonical(once.astype(np.float32) / 1000, 100.0, LEADS, DEMO, 10.0).signal
    assert np.corrcoef(once.ravel(), twice.ravel())[0, 1] > 0.995


@given(samples=st.integers(500, 5000))
@limits(max_examples=25)
def test_padding_is_exactly_zero_and_starts_after_valid(samples):
    record = canonical(SIGNAL[:, :samples] + np.float32(1), FS, LEADS, DEMO, 10.0)
    assert record.valid == -(-samples // 5)
    assert not record.signal[:, record.valid :].any()
    assert record.signal[:, : record.valid].any(axis=1).all()


def test_nothing_outside_the_used_seconds_leaks_in():
    changed = SIGNAL.copy()
    changed[:, 2500:] = 30.0
    record = canonical(changed, FS, LEADS, DEMO, 5.0)
    assert record.valid == 500
    assert (record.signal == canonical(SIGNAL, FS, LEADS, DEMO, 5.0).signal).all()
    assert record.quality == canonical(SIGNAL[:, :2500], FS, LEADS, DEMO, 10.0).quality


def test_absent_limb_leads_are_derived_and_chest_leads_marked():
    full = canonical(SIGNAL, FS, LEADS, DEMO, 10.0)
    names = ["V1", "aVL", "III"]
    record = canonical(SIGNAL[[LEADS.index(name) for name in names]], FS, names, DEMO, 10.0)
    assert record.quality["missing"] == 0b111110000000
    assert np.abs(record.signal[:7].astype(int) - full.signal[:7]).max() <= 1
    assert not record.signal[7:].any()


def test_one_limb_lead_derives_nothing_and_leaves_the_identities_unknown():
    record = canonical(SIGNAL[1:2], FS, ["ii"], DEMO, 10.0)
    assert record.quality["missing"] == 0b111111111101
    assert record.quality["identity_uv"] is None
    assert not record.signal[[0, *range(2, 12)]].any()


def test_a_short_gap_is_bridged_linearly_and_counted():
    gap = SIGNAL.copy()
    gap[3, 1000:1050] = np.nan
    gap[5, :20] = np.nan
    record = canonical(gap, FS, LEADS, DEMO, 10.0)
    assert record.quality["bridged"] == 70
    filled = SIGNAL.copy()
    filled[3, 999:1051] = np.linspace(SIGNAL[3, 999], SIGNAL[3, 1050], 52)
    filled[5, :20] = SIGNAL[5, 20]
    assert np.abs(record.signal - canonical(filled, FS, LEADS, DEMO, 10.0).signal.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: (spoiled(x, (2, slice(100, 151)), np.nan), FS, LEADS), "0.10 s of signal are missing"),
        (lambda x: (spoiled(x, 4, np.nan), FS, LEADS), "10.00 s of signal are missing"),
        (lambda x: (spoiled(x, (0, 7), np.inf), FS, LEADS), "infinite"),
        (lambda x: (spoiled(x, slice(0, 7), 0.0), FS, LEADS), "7 flat leads, at most 6"),
        (lambda x: (np.vstack([x, x[:3]]), FS, [*LEADS, "vx", "vy", "vz"]), "unknown lead names"),
        (lambda x: (x, FS, ["V1", *LEADS[1:]]), "more than once"),
        (lambda x: (x[:11], FS, LEADS), "for 12 leads"),
        (lambda x: (x[:0], FS, []), "for 0 leads"),
        (lambda x: (x[:, :499], FS, LEADS), "at least 1 s"),
        (lambda x: (x[:, :0], FS, LEADS), "0 samples"),
        (lambda x: (x, 20.0, LEADS), "sampling rate 20 Hz"),
        (lambda x: (x, 1e6, LEADS), "1e[+]06 Hz"),
        (lambda x: (x, 0.0, LEADS), "at 0 Hz"),
        (lambda x: (x, float("nan"), LEADS), "at nan Hz"),
        (lambda x: (x, FS, [*LEADS[:4], "aVF", "aVL", *LEADS[6:]]), "aVL and aVF fit the identities when exchanged"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(change, reason):
    signal, fs, leads = change(SIGNAL)
    with pytest.raises(RecordError, match=reason):
        canonical(signal, fs, leads, DEMO, 10.0)


def test_flat_leads_within_the_limit_are_flagged_and_kept():
    flat = SIGNAL.copy()
    flat[[4, 9]] = 0.3
    flat[9] += np.linspace(0, 0.009, 5000)
    record = canonical(flat, FS, LEADS, DEMO, 10.0)
    assert record.quality["flat"] == 1 << 4 | 1 << 9
    assert record.quality["missing"] == 0


def test_clipping_is_a_run_at_a_leads_own_extreme():
    clipped = SIGNAL.copy()
    clipped[7] = np.clip(clipped[7], -0.1, 0.1)
    share = canonical(clipped, FS, LEADS, DEMO, 10.0).quality["clipped"]
    assert share > 0.05
    assert share == pytest.approx(np.isin(clipped[7], [clipped[7].min(), clipped[7].max()]).mean(), abs=0.03)


def test_values_beyond_full_scale_saturate_and_are_counted():
    record = canonical(SIGNAL * np.float32(60), FS, LEADS, Signal(max_flat_leads=12), 10.0)
    assert np.abs(record.signal.astype(int)).max() == 32767
    assert record.quality["amplitude_uv"] > 40_000
    lead = np.abs(record.signal.astype(int)).max(axis=1).argmax()
    assert record.quality["clipped"] >= (np.abs(record.signal[lead].astype(int)) == 32767).mean() - 0.002 > 0


def test_equal_recordings_have_equal_digests_and_one_microvolt_tells_them_apart():
    digest = canonical(SIGNAL, FS, LEADS, DEMO, 10.0).quality["signal_digest"]
    assert len(digest) == 16
    other = SIGNAL.copy()
    other[8, 77] += 0.0011
    assert canonical(SIGNAL.copy(), FS, LEADS, DEMO, 10.0).quality["signal_digest"] == digest
    assert canonical(other, FS, LEADS, DEMO, 10.0).quality["signal_digest"] != digest


@pytest.mark.real
def test_the_double_records_of_ptb_xl_are_found_by_their_digests(real):
    archive = open_archive(real / "ptbxl")
    members = [name for name in archive.names() if name.startswith("records500/") and name.endswith(".hea")]
    ids = defaultdict(list)
    for member in members:
        record = read_record(archive, member)
        canonicalised = canonical(record.signal, record.fs, record.leads, DEMO, 10.0)
        assert canonicalised.quality["identity_uv"] < 20
        ids[canonicalised.quality["signal_digest"]].append(int(member[-12:-7]))
    assert len(members) == 500
    assert [same for same in ids.values() if len(same) > 1] == [
        [137, 138],
        [143, 144],
        [145, 463],
        [456, 457],
        [459, 460],
    ]


@pytest.mark.real
@pytest.mark.parametrize(("name", "flat"), [("JS45542", 6), ("JS45544", 5), ("JS45551", 3), ("JS11438", 6)])
def test_the_flat_leads_of_csn_are_flagged(real, name, flat):
    archive = open_archive(real / "csn")
    member = next(member for member in archive.names() if member.endswith(f"{name}.hea"))
    record = read_record(archive, member)
    canonicalised = canonical(record.signal, record.fs, record.leads, DEMO, 10.0)
    assert canonicalised.quality["flat"] == sum(1 << lead for lead in range(12 - flat, 12))
    with pytest.raises(RecordError, match=f"{flat} flat leads"):
        canonical(record.signal, record.fs, record.leads, Signal(max_flat_leads=flat - 1), 10.0)


def test_the_same_recording_at_two_rates_gives_nearly_the_same_row():
    rng = np.random.default_rng(3)
    t = {fs: np.arange(round(10 * fs)) / fs for fs in (1000.0, 250.0)}
    tones = [(rng.uniform(1, 30), rng.uniform(0, 6)) for _ in range(12)]
    rows = [
        canonical(np.array([np.cos(2 * np.pi * f * t[fs] + p) for f, p in tones]), fs, LEADS, DEMO, 10.0).signal
        for fs in t
    ]
    assert np.abs(rows[0].astype(int) - rows[1])[:, 100:-100].max() <= 2
