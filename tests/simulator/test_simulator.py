"""The simulator: identities, determinism, and every finding measurable in the signal and stated in the report."""

import hashlib

import numpy as np
import pytest

from cgdmer.signals.leads import LEADS
from cgdmer.simulator import FINDINGS, Case, draw_cases, gallery, heart, report_lines, simulate, torso
from cgdmer.simulator.findings import RHYTHMS, stream
from cgdmer.simulator.sentences import WORDINGS
from cgdmer.simulator.waves import template

CASES = draw_cases(3, 0, 400)
FS = 500.0


def case_with(
    *findings: str, rate: float = 70, pr: float = 160, qrs: float = 92, qt: float = 400, axis: float = 50
) -> Case:
    return Case(frozenset(findings), 50, "male", rate, pr, qrs, qt, axis)


def mean_of(case: Case, count: int = 12) -> np.ndarray:
    return simulate([case] * count, 9, 0).astype(float)


def beat_aligned(signals: np.ndarray, lead: int = 1) -> np.ndarray:
    """Return the mean beat (12, 500) around the steepest part of each QRS, from 300 ms before to 700 ms after."""
    beats = []
    for signal in signals:
        slope = np.abs(np.gradient(signal[lead]))
        steep = np.flatnonzero(slope > 0.6 * slope.max())
        first = [p for p, q in zip(steep, np.r_[-999, steep[:-1]], strict=True) if p - q > 150]
        beats += [signal[:, p - 150 : p + 350] for p in first if 150 <= p < signal.shape[1] - 350]
    return np.mean(beats, axis=0)


def test_identities_hold_to_the_unit():
    x = simulate(CASES[:40], 3, 0).astype(np.int64)
    one, two, three, avr, avl, avf = (x[:, i] for i in range(6))
    assert np.array_equal(one + three, two)
    assert np.abs(2 * avr + one + two).max() <= 1
    assert np.abs(2 * avl - one + three).max() <= 1
    assert np.abs(2 * avf - two - three).max() <= 1


def test_a_record_depends_on_seed_and_number_only():
    whole = simulate(CASES[:10], 3, 0)
    assert np.array_equal(simulate(CASES[7:8], 3, 7)[0], whole[7])
    assert draw_cases(3, 390, 10) == CASES[390:]
    assert report_lines(CASES[5], 3, 5) == report_lines(CASES[5], 3, 5)
    assert not np.array_equal(simulate(CASES[:1], 4, 0), whole[:1])


def test_bytes_are_the_same_on_every_machine():
    """The digest changes with any change of the simulator, and then every simulated corpus changes with it."""
    signals = simulate(CASES[:24], 3, 0, seconds=4.0)
    words = [report_lines(case, 3, number) for number, case in enumerate(CASES)]
    facts = [(sorted(case.findings), case.age, case.heart_rate, case.qt_ms, case.axis) for case in CASES]
    digest = hashlib.sha256(signals.astype("<i2").tobytes() + repr((facts, words)).encode())
    assert digest.hexdigest()[:16] == "55a2f4e2d1ac3621"


def test_a_chest_lead_sees_what_is_near_it_larger():
    dipole, middle, front = np.array([[0.0, 0.0, -1.0]]), np.zeros((1, 3)), np.array([[1.0, 1.0, -3.0]])
    far, near = torso.amplitudes(dipole, middle)[:, 0], torso.amplitudes(dipole, front)[:, 0]
    np.testing.assert_allclose(far, -torso.LEAD_VECTORS[:, 2])
    assert np.array_equal(near[:2], far[:2])
    assert near[3] > 1.5 * far[3]


def qrs_ms(case: Case) -> float:
    """Return the time between 10 % of the largest QRS deflection on both sides, without noise, mean of ten hearts."""
    widths = []
    for number in range(10):
        waves = heart.ventricular_waves(case, stream(3, number, 1))
        qrs = [wave for wave in waves if not wave.plateau and wave.centre < 200]
        size = np.abs(template(qrs, 0.1, 0.5, 1000.0)[0]).max(axis=0)
        above = np.flatnonzero(size > 0.1 * size.max())
        widths.append(above[-1] - above[0])
    return float(np.mean(widths))


def test_qrs_lasts_as_long_as_its_finding_says():
    assert 70 < qrs_ms(case_with("sinus_rhythm")) < 110
    assert qrs_ms(case_with("sinus_rhythm", "lbbb", qrs=150, qt=430)) > 120
    assert qrs_ms(case_with("paced", qrs=154, qt=430)) > 120
    assert qrs_ms(case_with("sinus_rhythm", "rbbb", qrs=140, qt=430)) > 115
    assert qrs_ms(case_with("sinus_rhythm", "ivcd", qrs=122)) > 100


def test_delta_wave_starts_early_and_left_anterior_block_keeps_t_upright():
    early = {
        name: heart.ventricular_waves(case_with("sinus_rhythm", *name), stream(3, 0, 1)) for name in ((), ("wpw",))
    }
    first = {name: template(waves, 0.0, 0.06, FS)[0, 5, :10].max() for name, waves in early.items()}
    assert first[("wpw",)] > 2 * first[()]
    block = beat_aligned(mean_of(case_with("sinus_rhythm", "lafb", axis=-55)), 10)
    assert block[1, 130:190].min() < -300
    assert block[1, 250:340].max() > 60


def test_cases_are_lawful():
    for case in CASES:
        assert case.findings <= set(FINDINGS)
        assert len(case.findings & set(RHYTHMS)) == 1
        assert ("normal" in case.findings) == (case.findings <= {"normal", "sinus_rhythm", "sinus_arrhythmia"})
        assert case.qrs_ms < case.qt_ms < 650
        assert 18 <= case.age <= 95
    share = np.mean(["normal" in case.findings for case in CASES])
    assert 0.3 < share < 0.5


def test_every_finding_occurs():
    seen = set().union(*(case.findings for case in draw_cases(1, 0, 1500)))
    assert seen == set(FINDINGS)


@pytest.mark.parametrize("rate", [50, 75, 110])
def test_heart_rate_is_what_was_asked(rate):
    signal = mean_of(case_with("sinus_rhythm", rate=rate), 1)[0, 1]
    slope = np.abs(np.gradient(signal))
    steep = np.flatnonzero(slope > 0.6 * slope.max())
    beats = steep[np.r_[True, np.diff(steep) > 120]]
    assert 60 * FS / np.diff(beats).mean() == pytest.approx(rate, rel=0.08)


def test_r_wave_grows_over_the_chest_and_avr_points_down():
    beat = beat_aligned(mean_of(case_with("normal", "sinus_rhythm")))
    peaks = beat.max(axis=1)
    assert peaks[6] < peaks[8] < peaks[9]
    assert abs(beat[3].min()) > beat[3].max()
    assert peaks[1] > 500


def test_bundle_branch_blocks_are_wide_and_point_the_right_way():
    normal = beat_aligned(mean_of(case_with("sinus_rhythm")), 10)
    left = beat_aligned(mean_of(case_with("sinus_rhythm", "lbbb", qrs=150, qt=430)), 10)
    right = beat_aligned(mean_of(case_with("sinus_rhythm", "rbbb", qrs=140, qt=430)), 10)

    def width(beat):
        window = np.abs(beat[[0, 6, 11], 120:260]).max(axis=0)
        return (window > 0.3 * window.max()).sum() / FS * 1000

    assert width(left) > width(normal) + 40
    assert width(right) > width(normal) + 15
    assert right[6, 150:240].max() > 2 * normal[6, 150:240].max()
    assert left[11, 150:].min() < -100


def test_atrial_fibrillation_is_irregular_and_has_no_p_wave():
    def variation(case):
        out = []
        for signal in mean_of(case, 6):
            slope = np.abs(np.gradient(signal[1]))
            steep = np.flatnonzero(slope > 0.6 * slope.max())
            gaps = np.diff(steep[np.r_[True, np.diff(steep) > 120]])
            out.append(gaps.std() / gaps.mean())
        return np.mean(out)

    assert (
        variation(case_with("atrial_fibrillation", rate=80)) > 0.12 > 2 * variation(case_with("sinus_rhythm", rate=80))
    )
    sinus, fibrillation = (
        beat_aligned(mean_of(case_with(x, rate=60, pr=170), 20))[1] for x in ("sinus_rhythm", "atrial_fibrillation")
    )
    assert sinus[60:130].max() - sinus[:40].mean() > 3 * (fibrillation[60:130].max() - fibrillation[:40].mean())


def test_long_pr_moves_the_p_wave():
    short, long = (
        beat_aligned(mean_of(case_with("sinus_rhythm", rate=58, pr=pr), 20))[1, :140].argmax() for pr in (140, 260)
    )
    assert (short - long) / FS * 1000 == pytest.approx(120, abs=25)


def test_infarction_hypertrophy_st_and_t_show_where_they_should():
    base = beat_aligned(mean_of(case_with("sinus_rhythm")), 10)
    inferior = beat_aligned(mean_of(case_with("sinus_rhythm", "inferior_infarction")), 10)
    assert inferior[5, 130:170].min() < base[5, 130:170].min() - 150
    anterior = beat_aligned(mean_of(case_with("sinus_rhythm", "anterior_infarction")), 10)
    assert anterior[8, 130:170].max() < 0.5 * base[8, 130:170].max()
    hypertrophy = beat_aligned(mean_of(case_with("sinus_rhythm", "lvh")), 10)
    assert np.ptp(hypertrophy[7]) > 1.3 * np.ptp(base[7])
    low = beat_aligned(mean_of(case_with("sinus_rhythm", "low_voltage")), 10)
    assert np.ptp(low[1]) < 0.6 * np.ptp(base[1])
    depressed = beat_aligned(mean_of(case_with("sinus_rhythm", "st_depression")), 10)
    assert depressed[10, 200:230].mean() < base[10, 200:230].mean() - 80
    flat = beat_aligned(mean_of(case_with("sinus_rhythm", "low_t")), 10)
    assert flat[10, 250:340].max() < 0.6 * base[10, 250:340].max()


def test_premature_ventricular_beats_come_early_and_pause():
    signal = mean_of(case_with("sinus_rhythm", "bigeminy", rate=70), 1)[0]
    slope = np.abs(np.gradient(signal[1]))
    assert slope.max() > 0
    intervals = np.diff(simulate_onsets(case_with("sinus_rhythm", "bigeminy", rate=70)))
    assert intervals.max() / intervals.min() > 1.6


def simulate_onsets(case: Case) -> np.ndarray:
    from cgdmer.simulator.rhythm import beats

    return beats(case, 10.0, stream(9, 0, 1)).onset[2:12]


def test_reports_state_the_findings_but_for_a_few_slips():
    stated = missing = 0
    for number, case in enumerate(CASES):
        text = "\n".join(report_lines(case, 3, number))
        for name in case.findings - {"normal"}:
            stated += 1
            missing += not any(words in text for words in WORDINGS[name])
    assert 0 < missing < 0.03 * stated


def test_reports_repeat_as_machine_reports_do():
    texts = [". ".join(report_lines(case, 3, number)) for number, case in enumerate(CASES)]
    assert 0.2 < len(set(texts)) / len(texts) < 0.8


def test_gallery_has_eight_titled_records():
    shown = gallery(seconds=2.0)
    assert len({title for title, _ in shown}) == 8
    assert all(signal.shape == (len(LEADS), 1000) for _, signal in shown)
