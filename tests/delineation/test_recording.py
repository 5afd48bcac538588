"""Delineation of whole recordings: simulated ones with known intervals, and hostile signals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.delineation.measurements import NAMES, measure
from cgdmer.delineation.recording import WAVES, delineate
from cgdmer.evaluation import simulated_truth
from cgdmer.settings import Signal
from cgdmer.signals.filters import band_pass
from cgdmer.simulator import draw_cases, simulate

FS, SEED = 500.0, 7
FORM = Signal(fs=FS, high=100.0)


def simulated(number):
    """Return case and recording (12, T) in mV of one simulated record."""
    case = draw_cases(SEED, number, 1)[0]
    return case, simulate([case], SEED, number)[0].astype(np.float32) / 1000


def measured(signal):
    return measure(delineate(band_pass(signal.astype(np.float32), FS, FORM).astype(np.float64), FS))


def test_intervals_and_axes_agree_with_what_the_simulator_drew():
    limits = {"rr": 20, "pr": 16, "qrs": 10, "qt": 20, "p_axis": 12, "qrs_axis": 10}
    errors = {name: [] for name in limits}
    for number in range(30):
        case, signal = simulated(number)
        truth, found = simulated_truth.measure(case, SEED, number), measured(signal)
        for name in errors:
            value = found[name if name.endswith("axis") else f"{name}_ms"]
            if truth[name] is not None and value is not None:
                gap = value - truth[name]
                errors[name].append(abs((gap + 180) % 360 - 180 if name.endswith("axis") else gap))
    assert min(map(len, errors.values())) >= 18
    assert {name: np.mean(errors[name]) < limit for name, limit in limits.items()} == dict.fromkeys(limits, True)


def test_the_rate_follows_the_simulated_one_and_fibrillation_is_irregular():
    regular, irregular = [], []
    for number in range(60):
        case, signal = simulated(number)
        found = measured(signal)
        if case.rhythm == "atrial_fibrillation":
            irregular.append(found["rr_variation"])
        elif case.rhythm == "sinus_rhythm" and not case.findings & {"premature_ventricular", "bigeminy"}:
            regular.append(found["rr_variation"])
    assert irregular
    assert np.median(irregular) > 0.1 > np.median(regular or [0.0])


def test_a_delay_of_the_recording_moves_all_waves_by_as_much():
    signal = band_pass(simulated(3)[1], FS, FORM).astype(np.float64)
    all_of_it, later = delineate(signal, FS), delineate(signal[:, 250:], FS)
    first, second = ({wave.peak for wave in each.waves(1, "qrs")} for each in (all_of_it, later))
    assert len(second) >= 5
    assert all(min(abs(peak + 250 - other) for other in first) <= 4 for peak in second)


@given(st.floats(0.2, 4.0))
@settings(max_examples=8)
def test_a_gain_scales_voltages_and_leaves_intervals(gain):
    signal = simulated(4)[1].astype(np.float64)
    one, other = measure(delineate(signal, FS)), measure(delineate(gain * signal, FS))
    assert other["qrs_ms"] == pytest.approx(one["qrs_ms"], abs=6)
    assert other["r_V5_mv"] == pytest.approx(gain * one["r_V5_mv"], rel=0.05)


def test_waves_lie_in_order_inside_the_recording():
    found = delineate(simulated(5)[1].astype(np.float64), FS)
    for lead in range(12):
        for kind in WAVES:
            waves = found.waves(lead, kind)
            assert all(
                0 <= wave.onset < wave.offset < 5000 and wave.onset <= wave.peak <= wave.offset for wave in waves
            )
            assert [wave.peak for wave in waves] == sorted(wave.peak for wave in waves)


@pytest.mark.parametrize("kind", ["zeros", "noise", "sine", "step", "one_spike", "short", "huge", "square"])
def test_signals_without_heart_beats_give_no_intervals_and_no_error(kind):
    time = np.arange(5000) / FS
    signal = {
        "zeros": np.zeros(5000),
        "noise": np.random.default_rng(0).normal(0, 0.2, 5000),
        "sine": np.sin(2 * np.pi * 50 * time),
        "step": np.where(time > 5, 1.0, 0.0),
        "one_spike": np.where(np.arange(5000) == 2500, 2.0, 0.0),
        "short": np.sin(time)[:250],
        "huge": np.random.default_rng(1).normal(0, 1e4, 5000),
        "square": np.sign(np.sin(2 * np.pi * 15 * time)),
    }[kind]
    found = measure(delineate(np.tile(signal, (12, 1)), FS))
    assert set(found) == set(NAMES)
    assert found["p_ms"] is None
    assert found["heart_rate"] is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 3000), st.sampled_from([1, 3, 12]))
@settings(max_examples=40)
def test_any_signal_gives_finite_numbers_or_none(seed, samples, live):
    draw = np.random.default_rng(seed)
    leads = np.zeros((12, samples))
    leads[:live] = np.cumsum(draw.normal(0, draw.uniform(0, 0.5), (live, samples)), axis=1)
    leads[:live, draw.integers(0, samples, 5)] += draw.normal(0, 3, 5)
    found = measure(delineate(leads, FS))
    assert list(found) == list(NAMES)
    assert all(value is None or np.isfinite(value) for value in found.values())
