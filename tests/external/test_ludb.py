"""LUDB: a planted copy with known waves, and the real one against its own words."""

import numpy as np
import pytest
import wfdb

from cgdmer.errors import DataError
from cgdmer.external import ludb
from cgdmer.settings import Signal
from cgdmer.signals import LEADS
from cgdmer.waveforms.write import record_bytes

FS = 500
HEAD = ("ID,Sex,Age,Rhythms,Electric axis of the heart,Conduction abnormalities,Extrasystolies,Hypertrophies,"
        "Cardiac pacing,Ischemia,Non-specific repolarization abnormalities,Other states")  # fmt: skip
ROW = (
    '1,"M\n","61\n",Sinus rhythm,Axis,I degree av block,,"Left ventricular hypertrophy\nLeft ventricular overload",,'
    '"Ischemia: apical\nIschemia: septal",,'
)


@pytest.fixture
def planted(tmp_path):
    """One record of triangles: P 60 samples, PR 90, QRS 50, QT 200, RR 400; QRS up in I and aVF, T down in aVF."""
    time = np.arange(10 * FS)
    signal = np.zeros((12, len(time)))
    kinds = {"p": (0, 60, {"I": 100, "aVF": 100}), "N": (90, 50, {"I": 1000, "aVF": 1000}),
             "t": (210, 80, {"I": 300, "aVF": -300})}  # fmt: skip
    samples, symbols = [], []
    for beat in range(100, 4700, 400):
        for symbol, (after, length, heights) in kinds.items():
            begin, end = beat + after, beat + after + length
            for lead, height in heights.items():
                signal[LEADS.index(lead), begin : end + 1] += height * np.bartlett(length + 1)
            samples += [begin, (begin + end) // 2, end]
            symbols += ["(", symbol, ")"]
    first, avf = signal[0].copy(), signal[5].copy()
    second = np.rint(avf + first / 2)
    signal[1], signal[2] = second, second - np.rint(first)
    signal[6:] = first + np.arange(1, 7)[:, None] * np.sin(time / 30)
    (tmp_path / "data").mkdir()
    record = record_bytes("1", np.rint(signal).astype(np.int16), FS, [lead.lower() for lead in LEADS])
    for name, content in record.items():
        (tmp_path / "data" / name).write_bytes(content)
    header = tmp_path / "data/1.hea"
    header.write_text(header.read_text().replace("1000.0(0)/mV", "700.0(3)/mV", 1))
    assert "700.0(3)/mV" in header.read_text()
    wfdb.wrann("1", "x", np.array(samples), symbols, fs=FS, write_dir=str(tmp_path / "data"))
    for lead in LEADS:
        (tmp_path / f"data/1.{lead.lower()}").write_bytes((tmp_path / "data/1.x").read_bytes())
    (tmp_path / "ludb.csv").write_text(f"{HEAD}\n{ROW}\n{ROW.replace('1,', '2,', 1)}\n")
    return tmp_path


def test_a_planted_record_is_measured_and_labelled(planted):
    assert ludb.holds(planted)
    read = ludb.read(planted, Signal())
    assert read.patients == ["1"]
    value = {name: values[0] for name, values in read.measurements.items()}
    assert value["rr"] == 800
    assert (value["rr_sd"], value["rmssd"]) == (0, 0)
    assert value["pr"] == 180
    assert value["qrs"] == 100
    assert value["qt"] == 400
    assert value["qtc_bazett"] == pytest.approx(400 / 0.8**0.5)
    assert value["qrs_axis"] == pytest.approx(np.rad2deg(np.arctan2(2 / 3**0.5, 1)), abs=0.5)
    assert value["t_axis"] == pytest.approx(-value["qrs_axis"], abs=1)
    assert (value["age"], value["male"]) == (61, 1)
    assert read.tasks["rhythm"].classes == ["sinus rhythm"]
    assert read.tasks["diagnosis"].classes == [
        "i degree av block", "ischemia", "left ventricular hypertrophy", "left ventricular overload",
    ]  # fmt: skip


def test_integers_that_fulfil_the_identity_are_microvolt_whatever_the_gain(planted):
    read = ludb.read(planted, Signal(low=None, high=None, fs=500))
    assert np.abs(read.signals[0, 1] - read.signals[0, 0] - read.signals[0, 2]).max() <= 1
    assert np.abs(read.signals[0, 0]).max() == 1000


def test_a_table_without_records_is_refused(planted):
    (planted / "data/1.hea").unlink()
    with pytest.raises(DataError, match="no record that"):
        ludb.read(planted, Signal())


def test_the_real_copy_agrees_with_its_words(real):
    read = ludb.read(real / "ludb", Signal())
    value, labels = read.measurements, read.tasks["diagnosis"]
    assert len(read.patients) == len(read.signals) == 140

    def having(task, name):
        return read.tasks[task].matrix[:, read.tasks[task].classes.index(name)] == 1

    assert np.median(value["rr"][having("rhythm", "sinus bradycardia")]) > 1000
    assert np.median(value["pr"][having("diagnosis", "i degree av block")]) > 200
    assert np.nanmedian(value["pr"][~having("diagnosis", "i degree av block")]) < 180
    assert np.median(value["qrs"][having("diagnosis", "complete left bundle branch block")]) > 120
    assert np.median(value["qrs_axis"][having("diagnosis", "left anterior hemiblock")]) < -25
    assert np.isnan(value["pr"][having("rhythm", "atrial fibrillation")]).all()
    assert np.isnan(value["pr"][having("diagnosis", "iii degree av-block")]).all()
    assert len(labels.classes) == labels.matrix.shape[1]
