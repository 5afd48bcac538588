"""Amplitudes are those of the beats that were drawn, by lead and wave, in their units; NaN where there are none."""

import numpy as np
import pytest

from cgdmer.objectives.targets import AMPLITUDES
from cgdmer.signals.leads import LEADS
from cgdmer.streams import amplitudes

FS = 100.0
PRESENT = np.zeros(12, bool)


def beats(heights, count=8, spacing=100):
    """Return int16 microvolt (12, T): beats of Gaussian waves with `heights` in mV, by seconds from their centre."""
    time = np.arange(count * spacing + spacing) / FS
    lead = np.zeros_like(time)
    for beat in range(1, count + 1):
        for offset, (height, width) in heights.items():
            lead += height * np.exp(-(((time - beat * spacing / FS - offset) / width) ** 2) / 2)
    return np.round(1000 * np.tile(lead, (12, 1))).astype(np.int16)


def named(values):
    return dict(zip(AMPLITUDES, values.tolist(), strict=True))


def test_heights_of_waves_are_found_in_their_units():
    record = beats({-0.16: (0.15, 0.02), 0.0: (1.2, 0.015), 0.1: (0.0, 0.01), 0.28: (0.4, 0.03)})
    found = named(amplitudes.measure(record, PRESENT, FS))
    assert found["p_II"] * amplitudes.UNITS["p"] == pytest.approx(0.15, abs=0.02)
    assert found["r_V5"] * amplitudes.UNITS["r"] == pytest.approx(1.2, abs=0.03)
    assert found["t_high_V2"] * amplitudes.UNITS["t_high"] == pytest.approx(0.4, abs=0.02)
    assert found["s_I"] * amplitudes.UNITS["s"] == pytest.approx(0.0, abs=0.02)


def test_each_lead_is_measured_on_its_own():
    record = beats({0.0: (1.0, 0.015)})
    record[LEADS.index("V3")] *= -1
    found = named(amplitudes.measure(record, PRESENT, FS))
    assert found["s_V3"] * amplitudes.UNITS["s"] == pytest.approx(-1.0, abs=0.03)
    assert found["r_V2"] * amplitudes.UNITS["r"] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_amplitudes_are_proportional_to_the_signal(scale):
    record = beats({0.0: (0.8, 0.015), 0.28: (0.2, 0.03)})
    one = amplitudes.measure(record, PRESENT, FS)
    other = amplitudes.measure((record * scale).astype(np.int16), PRESENT, FS)
    assert other == pytest.approx(scale * one, abs=0.03)


def test_a_missing_lead_is_unknown_and_changes_no_other():
    record, missing = beats({0.0: (1.0, 0.015)}), PRESENT.copy()
    missing[LEADS.index("V1")] = True
    whole, part = named(amplitudes.measure(record, PRESENT, FS)), named(amplitudes.measure(record, missing, FS))
    unknown = {name for name, value in part.items() if np.isnan(value)}
    assert unknown == {name for name in AMPLITUDES if name.endswith("_V1")}
    assert {name: value for name, value in part.items() if name not in unknown} == {
        name: value for name, value in whole.items() if name not in unknown
    }


@pytest.mark.parametrize("record", [np.zeros((12, 1000), np.int16), np.zeros((12, 30), np.int16)])
def test_without_beats_all_are_unknown(record):
    assert np.isnan(amplitudes.measure(record, PRESENT, FS)).all()


def test_artefacts_are_bounded():
    record = beats({0.0: (1.0, 0.015)})
    record = np.clip(record.astype(np.int64) * 20, -32767, 32767).astype(np.int16)
    found = amplitudes.measure(record, PRESENT, FS)
    assert np.abs(found).max() == amplitudes.LARGEST


def test_padding_is_not_measured():
    record = beats({0.0: (1.0, 0.015)})
    padded = np.concatenate([record, np.zeros_like(record)], axis=1)[None]
    count, missing = np.array([record.shape[1]]), PRESENT[None]
    assert np.array_equal(
        amplitudes.measure_all(padded, count, missing, FS)[0], amplitudes.measure(record, PRESENT, FS)
    )
