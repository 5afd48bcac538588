"""EDF and DICOM: leads are read by name and calibrated; headers that claim more than the file holds are refused."""

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer.errors import RecordError
from cgdmer.recordings import read_file
from cgdmer.signals import LEADS

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("edfio")
UNITS = {"mV": 1.0, "uV": 1000.0}


def dicom(path, *, unit="uV", sensitivity=2.5, median_first=True, **changes):
    """Write an ECG object: a median beat, then the rhythm at 500 Hz."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    stored = np.rint(example.millivolt() * UNITS[unit] / sensitivity).astype("<i2")
    channels = []
    for lead in LEADS:
        source, units, channel = Dataset(), Dataset(), Dataset()
        source.CodeMeaning, units.CodeValue = f"Lead {lead}", unit
        channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = [source], [units]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = str(sensitivity), "1"
        channel.ChannelBaseline = "0"
        channels.append(channel)
    groups = [Dataset() for _ in range(2 if median_first else 1)]
    for group in groups:
        group.MultiplexGroupLabel = "RHYTHM" if group is groups[-1] else "MEDIAN BEAT"
        group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 12, stored.shape[1]
        group.SamplingFrequency, group.WaveformSampleInterpretation = "500", "SS"
        group.WaveformBitsAllocated, group.ChannelDefinitionSequence = 16, channels
        group.add_new("WaveformData", "OW", stored.T.tobytes())
    for key, value in changes.items():
        setattr(groups[-1], key, value)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    data.PatientName, data.WaveformSequence = "Nobody^Known", groups
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(("unit", "sensitivity"), [("uV", 2.5), ("mV", 0.001)])
def test_dicom_is_calibrated_and_the_median_beat_passed_over(unit, sensitivity, tmp_path):
    recording = read_file(dicom(tmp_path / "a.dcm", unit=unit, sensitivity=sensitivity))
    assert (recording.fs, recording.leads) == (500.0, LEADS)
    np.testing.assert_allclose(recording.signal, example.millivolt(), atol=0.0013)


def test_the_example_that_ships_with_pydicom_is_read():
    from pydicom.data import get_testdata_file

    recording = read_file(get_testdata_file("waveform_ecg.dcm", download=False))
    assert (recording.signal.shape, recording.fs, recording.leads) == ((12, 10_000), 1000.0, LEADS)
    limb = recording.signal[:3]
    assert np.abs(limb[0] + limb[2] - limb[1]).mean() < 0.01


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"NumberOfWaveformSamples": 4_000_000_000}, "states 12 x 4000000000"),
        ({"NumberOfWaveformChannels": 65_535}, "65535 channels"),
        ({"WaveformSampleInterpretation": "MB"}, "MB samples"),
        ({"ChannelDefinitionSequence": []}, "12 channels"),
    ],
)
def test_a_dicom_that_promises_what_it_lacks_is_refused(changes, reason, tmp_path):
    with pytest.raises(RecordError, match=reason):
        read_file(dicom(tmp_path / "a.dcm", **changes))


def test_damaged_dicom_and_edf_give_reasons_and_no_crash(tmp_path):
    whole = {"dcm": dicom(tmp_path / "a.dcm").read_bytes(), "edf": example.edf(tmp_path, "a").read_bytes()}
    draw = np.random.default_rng(0)
    for kind, data in whole.items():
        refused = 0
        for turn in range(60):
            damaged = bytearray(data[: draw.integers(1, len(data))] if turn % 2 else data)
            for place in draw.integers(0, min(len(damaged), 4000), 8):
                damaged[place] = draw.integers(0, 256)
            path = tmp_path / f"damaged.{kind}"
            path.write_bytes(damaged)
            try:
                read_file(path)
            except RecordError:
                refused += 1
        assert refused > 20


def test_edf_with_bare_names_is_read_and_one_without_leads_is_named(tmp_path):
    assert read_file(example.edf(tmp_path, "bare", prefix="")).leads == LEADS
    with pytest.raises(RecordError, match="its signals are 'SpO2', 'EEG I'"):
        read_file(example.edf(tmp_path, "eeg", prefix="EEG "))


@pytest.mark.parametrize(
    ("at", "field", "reason"),
    [
        (236, b"99999999", "states"),
        (236, b"-1      ", "not EDF"),
        (252, b"9999", "not EDF"),
        (252, b"abcd", "not EDF"),
        (192, b"EDF+D", "discontinuous"),
    ],
)
def test_an_edf_header_is_held_against_its_size(at, field, reason, tmp_path):
    path = example.edf(tmp_path, "a")
    data = bytearray(path.read_bytes())
    data[at : at + len(field)] = field
    path.write_bytes(data)
    with pytest.raises(RecordError, match=reason):
        read_file(path)
