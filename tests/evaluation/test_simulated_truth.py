"""The truth of simulated records, held against their signals: beats, axes, and the index of the corpus."""

import numpy as np
import polars as pl
import pytest

from cgdmer.delineation import beats
from cgdmer.delineation.formulas import axis, variability
from cgdmer.demo_corpora import drawing, ptb_xl
from cgdmer.errors import DataError
from cgdmer.evaluation import simulated_truth
from cgdmer.settings import Corpus
from cgdmer.signals import LEADS

CORPUS = Corpus(records=80, seed=14)


def indexed(source):
    rows = [
        {"id": name, "sex": case.sex, "age": case.age if case.age <= 89 else 90.0}
        for name, _, case in simulated_truth.cases(source, CORPUS)
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize("source", simulated_truth.SOURCES)
def test_rate_and_axes_are_those_of_the_recording(source):
    known = simulated_truth.truth(source, CORPUS, indexed(source))
    assert known["id"].to_list() == indexed(source)["id"].to_list()
    gaps, varied, turns = [], [], {"p_axis": [], "qrs_axis": [], "t_axis": []}
    for (_, number, case), row in zip(simulated_truth.cases(source, CORPUS), known.iter_rows(named=True), strict=True):
        signal = drawing.signal(case, CORPUS.seed, number).astype(float)
        peaks = beats.find(signal, drawing.FS)
        if case.rhythm != "paced" and not case.findings & {"premature_ventricular", "bigeminy", "low_voltage"}:
            measured = np.diff(peaks) * 1000 / drawing.FS
            gaps.append(measured.mean() / row["rr"] - 1)
            varied.append((variability(measured), row))
        if "normal" in case.findings:  # the windows below are those of a normal beat
            for name, turn in measured_turns(signal, peaks, row).items():
                turns[name].append((row[name], turn))
    assert np.median(np.abs(gaps)) < 0.01
    for name in ("rr_sd", "rmssd"):
        off = np.abs([measured[name] - row[name] for measured, row in varied])  # ms
        assert np.median(off) < 0.5, name
        assert np.mean(off < 10) > 0.95, name  # the others have a beat that was missed
    for name, most, least in (("qrs_axis", 2.5, 0.98), ("t_axis", 5, 0.8), ("p_axis", 5, 0.3)):
        known_axis, turn = np.array(turns[name]).T
        assert np.median(np.abs(turn)) < most, name
        assert np.corrcoef(known_axis, known_axis + turn)[0, 1] > least, name


def measured_turns(signal, peaks, row):
    """Return the angle between each known axis and that of the areas in the mean beat."""
    beat, r_peak = beats.median_beat(signal, peaks, drawing.FS).beat, round(beats.BEFORE * drawing.FS)
    onset = r_peak - round(0.04 * drawing.FS)
    windows = {
        "p_axis": (onset - round(row["pr"] / 1000 * drawing.FS), onset - round(0.03 * drawing.FS)),
        "qrs_axis": (onset - 5, onset + 45),
        "t_axis": (onset + 70, onset + round(row["qt"] / 1000 * drawing.FS)),
    }
    turns = {}
    for name, (begin, end) in windows.items():
        wave = beat[:, begin:end] - (beat[:, begin : begin + 1] if name != "t_axis" else 0)
        first, avf = wave[LEADS.index("I")].sum(), wave[LEADS.index("aVF")].sum()
        turns[name] = (axis(first, avf) - row[name] + 180) % 360 - 180
    return turns


def test_variability_is_that_of_all_beats_and_needs_three():
    assert variability([800.0, 1000.0, 600.0]) == {
        "rr_sd": pytest.approx(np.std([800, 1000, 600])),
        "rmssd": pytest.approx(np.sqrt((200**2 + 400**2) / 2)),
    }
    assert variability([800.0, 800.0]) == {"rr_sd": 0.0, "rmssd": 0.0}
    assert variability([800.0]) == variability([]) == {"rr_sd": None, "rmssd": None}


def test_records_of_another_seed_are_refused():
    with pytest.raises(DataError, match="not those of seed 15"):
        simulated_truth.truth("csn", CORPUS.model_copy(update={"seed": 15}), indexed("csn"))


def test_without_p_waves_there_is_no_pr_interval():
    for _, number, case in simulated_truth.cases("csn", CORPUS):
        values = simulated_truth.measure(case, CORPUS.seed, number)
        if case.rhythm in ("atrial_fibrillation", "atrial_flutter"):
            assert values["pr"] is None
            assert values["p_axis"] is None
        elif case.rhythm == "sinus_rhythm":
            assert values["pr"] == case.pr_ms


def test_patients_of_ptb_xl_are_drawn_as_the_corpus_draws_them():
    assert simulated_truth.PTB_XL_RECORDINGS == ptb_xl.RECORDINGS
