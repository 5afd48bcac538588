"""Reading one recording: every format gives the same signal, and canonical form is that of the shards."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from support import example_recordings as example

import cgdmer
from cgdmer.errors import ConfigError, RecordError
from cgdmer.recordings import ArrayMetadata, arrays, read_file
from cgdmer.recordings.arrays import read_csv
from cgdmer.signals import LEADS

WRITERS = {"wfdb": example.wfdb, "npy": example.npy, "csv": example.csv, "edf": example.edf}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_millivolts(kind, tmp_path):
    recording = read_file(WRITERS[kind](tmp_path, "a record", seed=3))
    assert (recording.fs, [lead.lower() for lead in recording.leads]) == (500.0, [lead.lower() for lead in LEADS])
    assert recording.signal.dtype == np.float32
    tolerance = 20 / 65536 if kind == "edf" else 1e-5
    np.testing.assert_allclose(recording.signal, example.millivolt(3), atol=tolerance)


@pytest.mark.parametrize("suffix", [".hea", ".dat", ""])
def test_a_record_goes_by_header_signal_or_bare_name(suffix, tmp_path):
    example.wfdb(tmp_path, "r0")
    np.testing.assert_allclose(read_file(tmp_path / f"r0{suffix}").signal, example.millivolt(), atol=1e-5)


@pytest.mark.parametrize("suffix", [".HEA", ".dat", ""])
def test_the_suffix_of_a_header_may_be_upper_case(suffix, tmp_path):
    example.wfdb(tmp_path, "r0").rename(tmp_path / "r0.HEA")
    np.testing.assert_allclose(read_file(tmp_path / f"r0{suffix}").signal, example.millivolt(), atol=1e-5)


def test_an_array_may_lie_either_way_and_in_any_unit(tmp_path):
    np.save(tmp_path / "a.npy", np.rint(example.millivolt().T * 1000).astype(np.int16))
    recording = read_file(tmp_path / "a.npy", metadata=ArrayMetadata(500.0, "uV", LEADS))
    np.testing.assert_allclose(recording.signal, example.millivolt(), atol=1e-5)


def test_a_sidecar_goes_before_what_is_stated_for_all(tmp_path):
    path = example.npy(tmp_path, "a")
    assert read_file(path, metadata=ArrayMetadata(250.0, "V", LEADS)).fs == 500.0


@pytest.mark.parametrize(
    "metadata",
    [ArrayMetadata(), ArrayMetadata(fs=500.0), ArrayMetadata(500.0, "mV"), ArrayMetadata(unit="mV", leads=LEADS)],
)
def test_nothing_is_guessed_and_the_reason_says_what_to_give(metadata, tmp_path):
    path = example.npy(tmp_path, "a", sidecar=False)
    with pytest.raises(RecordError, match="nothing is guessed: pass --fs, --unit and --leads"):
        read_file(path, metadata=metadata)


def test_a_table_without_a_header_needs_lead_names(tmp_path):
    np.savetxt(tmp_path / "a.csv", example.millivolt().T, delimiter=";", fmt="%.4f")
    with pytest.raises(RecordError, match="does not state its leads"):
        read_file(tmp_path / "a.csv", metadata=ArrayMetadata(500.0, "mV"))
    recording = read_file(tmp_path / "a.csv", metadata=ArrayMetadata(500.0, "mV", LEADS))
    np.testing.assert_allclose(recording.signal, example.millivolt(), atol=1e-4)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_that_numbers_the_columns_is_no_sample(quote, tmp_path):
    signal, stated = example.millivolt(), ArrayMetadata(500.0, "mV", LEADS)
    for name, values in (("rows", signal.T), ("columns", signal[:, :1000])):
        header = ",".join(f"{quote}{column}{quote}" for column in range(values.shape[1]))
        np.savetxt(tmp_path / f"{name}.csv", values, delimiter=",", fmt="%.4f", header=header, comments="")
        recording = read_file(tmp_path / f"{name}.csv", metadata=stated)
        np.testing.assert_allclose(recording.signal, signal[:, : recording.signal.shape[1]], atol=1e-4)
        assert recording.signal.shape[1] == max(values.shape)


@pytest.mark.parametrize("text", ["0\n1\n2\n", "0,2\n1,2\n2,2\n", "0.0,1.0\n1,2\n2,2\n"])
def test_other_first_rows_are_samples(text):
    leads = ("I", "II") if "," in text else ("I",)
    assert read_csv(text.encode(), "a.csv", ArrayMetadata(500.0, "mV", leads)).signal.shape == (len(leads), 3)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("empty", ["", " ", '""'])
@pytest.mark.parametrize("header", ["I{0}time{0}II\n", ""])
def test_an_empty_cell_is_a_missing_sample(separator, empty, header):
    middle = [f"{time}{separator}" if header else "" for time in range(4)]
    rows = [("1", "-2"), (empty, "3"), ("4", empty), (empty, empty)]
    lines = [first + separator + time + last for (first, last), time in zip(rows, middle, strict=True)]
    text = header.format(separator) + "\n".join(lines) + "\n\n"
    signal = read_csv(text.encode(), "a.csv", ArrayMetadata(500.0, "mV", ("I", "II"))).signal
    assert np.array_equal(signal, [[1, np.nan, 4, np.nan], [-2, 3, np.nan, np.nan]], equal_nan=True)


def test_a_table_with_empty_cells_is_the_array_with_gaps(tmp_path):
    signal = example.millivolt()
    signal[3, 100:110] = np.nan
    rows = [",".join("" if np.isnan(value) else f"{value:.4f}" for value in row) for row in signal.T]
    (tmp_path / "a.csv").write_text("\n".join([",".join(LEADS), *rows]))
    np.save(tmp_path / "a.npy", signal)
    stated, encoder = ArrayMetadata(500.0, "mV", LEADS), cgdmer.load_encoder(example.model())
    table, array = (read_file(tmp_path / f"a.{kind}", encoder.form, metadata=stated) for kind in ("csv", "npy"))
    assert table.doubts == array.doubts
    assert any("interpolated" in doubt for doubt in table.doubts)
    np.testing.assert_allclose(table.signal, array.signal, atol=2e-3)


def test_a_table_of_empty_cells_has_no_more_cells_than_one_of_numbers(monkeypatch):
    monkeypatch.setattr(arrays, "MAX_CELLS", 7)
    for text, allowed in (("1,2\n,\n,\n", True), ("1,2\n,\n,\n,\n", False)):
        with contextlib.nullcontext() if allowed else pytest.raises(RecordError, match="more than 7 cells"):
            read_csv(text.encode(), "a.csv", ArrayMetadata(500.0, "mV", ("I", "II")))


@pytest.mark.parametrize("row", ["0.1,0.2,0.3", "0,1,0,2", '1,0.1,"0.2"'])
def test_a_row_with_more_cells_than_the_header_is_refused(row):
    stated = ArrayMetadata(500.0, "mV")
    with pytest.raises(RecordError, match=r"line 3 has [34] cells, the header row 2"):
        read_csv(f"I,II\n0.1,0.2\n{row}\n".encode(), "a.csv", stated)
    assert read_csv(b"I,II\n0.1,0.2,\n0.3,0.4, ,\n", "a.csv", stated).signal.shape == (2, 2)


def test_a_decimal_comma_is_named_in_full():
    with pytest.raises(RecordError) as error:
        read_csv(b"I;II\n0,25;0,5\n", "a.csv", ArrayMetadata(500.0, "mV"))
    assert error.value.problem.endswith("could not convert string '0,25' to float64")
    assert error.value.allowed == "numbers with a decimal point"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not state"),
        (",I,II\n0,1,two\n1,,2\n", "could not convert string 'two'"),
        ("I,II\n1,\n3\n", "not a table of numbers"),
        ("I,II,pulse\n1,2,3\n", "'pulse'"),
        ("I,II\n1,two\n", "not a table of numbers"),
        ("I,II\n1,2\n3\n", "not a table of numbers"),
        ("I,II\n", "holds no sample"),
    ],
)
def test_a_bad_table_says_what_is_wrong(text, reason, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(RecordError, match=reason):
        read_file(tmp_path / "a.csv", metadata=ArrayMetadata(500.0, "mV"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 60_000, "not JSON"),
        (" " * 70_000, "65,536 bytes"),
        ("[1]", "holds list"),
        (json.dumps({"leds": 1}), "did you mean 'leads'"),
        (json.dumps({"fs": "500"}), "fs is a number"),
        (json.dumps({"fs": -1}), "fs = -1"),
        (json.dumps({"unit": "furlong"}), "'furlong'"),
        (json.dumps({"leads": ["I", "i"]}), "more than once"),
    ],
)
def test_a_bad_sidecar_says_what_is_wrong(content, reason, tmp_path):
    path = example.npy(tmp_path, "a")
    path.with_suffix(".json").write_text(content)
    with pytest.raises(RecordError, match=reason):
        read_file(path)


def test_a_record_comes_as_an_encoder_takes_it(tmp_path):
    encoder = cgdmer.load_encoder(example.model())
    whole = cgdmer.read_record(example.wfdb(tmp_path, "whole"), encoder)
    assert whole.signal.shape == (12, 200)
    assert (whole.fs, whole.leads, whole.missing) == (50.0, LEADS, ())
    np.save(tmp_path / "part.npy", example.millivolt()[[0, 1, 7]])
    part = cgdmer.read_record(tmp_path / "part.npy", encoder, fs=500, unit="mV", leads=["I", "II", "V2"])
    assert part.missing == ("V1", "V3", "V4", "V5", "V6")
    np.testing.assert_allclose(part.signal[:6], whole.signal[:6], atol=0.003)
    assert np.array_equal(part.signal[7], whole.signal[7])
    assert not part.signal[6].any()
    scores = encoder.zero_shot(whole.signal[None], ["slow rate", "fast rate", "slow rate"])
    assert scores.shape == (1, 3)
    assert scores[0, 0] == pytest.approx(scores[0, 2])
    assert np.abs(scores).max() <= 1.0 + 1e-6


def test_a_folder_or_nothing_is_no_recording(tmp_path):
    with pytest.raises(ConfigError, match="not one recording"):
        read_file(tmp_path)
    with pytest.raises(RecordError, match="missing"):
        read_file(tmp_path / "gone.hea")
    (tmp_path / "a.doc").write_text("")
    with pytest.raises(RecordError, match="not the suffix of a recording"):
        read_file(tmp_path / "a.doc")


def test_a_stated_lead_that_is_none_is_refused():
    with pytest.raises(RecordError, match="unknown lead names"):
        cgdmer.read_record(Path("x.npy"), fs=500, unit="mV", leads=["I", "Q"])


@pytest.mark.parametrize(
    ("given", "problem", "fix"),
    [
        ({"fs": "500"}, "fs = '500'", "fs=500"),
        ({"fs": True}, "fs = True", "fs=500"),
        ({"unit": 5}, "unit = 5", "unit='mV'"),
        ({"leads": "I, II"}, "leads = 'I, II'", "leads=['I', 'II']"),
        ({"leads": [1]}, "leads = [1]", "leads=['I', 'II', 'V1']"),
        ({"leads": 12}, "leads = 12", "leads=['I', 'II', 'V1']"),
        ({"encoder": "cgdmer-base"}, "encoder = 'cgdmer-base'", "encoder=cgdmer.load_encoder('cgdmer-base')"),
        ({"encoder": np.mean}, "encoder = <", "encoder=cgdmer.load_encoder()"),
        ({"path": None}, "path = None", 'cgdmer.read_record("record.hea")'),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_with_the_right_one(tmp_path, given, problem, fix):
    path = example.npy(tmp_path, "a")
    with pytest.raises(ConfigError) as error:
        cgdmer.read_record(**{"path": path, "fs": 500, "unit": "mV", "leads": LEADS} | given)
    assert error.value.problem.startswith(problem)
    assert error.value.fix == fix


def test_numbers_and_names_of_numpy_are_accepted(tmp_path):
    stated = {"fs": np.float32(500), "unit": np.str_("mV"), "leads": np.array(LEADS)}
    assert cgdmer.read_record(example.npy(tmp_path, "a"), **stated).fs == 500.0
    assert cgdmer.read_record(tmp_path / "a.npy", **stated | {"fs": np.int64(500)}).fs == 500.0


@pytest.mark.parametrize("shape", ["(1000000000000, 12)", "(-1, 12)", "(2, 3)", "12", "(1, 2", "([" * 2000])
def test_a_huge_or_false_array_header_is_refused_before_anything_is_allocated(shape, tmp_path):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(118) + b"\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(96))
    with pytest.raises(RecordError, match=r"a\.npy"):
        read_file(tmp_path / "a.npy", metadata=ArrayMetadata(500.0, "mV", LEADS))


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}] * 12], dtype=object), allow_pickle=True)
    with pytest.raises(RecordError, match="holds object"):
        read_file(tmp_path / "a.npy", metadata=ArrayMetadata(500.0, "mV", LEADS))


def test_a_link_is_followed_to_the_record_it_leads_to(tmp_path):
    path = example.wfdb(tmp_path / "there", "r0")
    (tmp_path / "here.hea").symlink_to(path)
    assert read_file(tmp_path / "here.hea").signal.shape == (12, 2500)


def test_a_signal_file_outside_the_folder_is_never_read(tmp_path):
    path = example.wfdb(tmp_path / "given", "r0")
    (tmp_path / "secret.dat").write_bytes((tmp_path / "given" / "r0.dat").read_bytes())
    text = path.read_text()
    path.write_text(text.replace("r0.dat", "../secret.dat"))
    with pytest.raises(RecordError, match="not a plain file name"):
        read_file(path)
    path.write_text(text)
    (tmp_path / "given" / "r0.dat").unlink()
    (tmp_path / "given" / "r0.dat").symlink_to(tmp_path / "secret.dat")
    with pytest.raises(RecordError, match="leads out"):
        read_file(path)


def test_real_records_of_both_matlab_forms_are_read(real):
    struct = sorted((real / "cpsc2018_original").rglob("A*.mat"))[0]
    challenge = sorted((real / "csn").rglob("*.mat"))[0]
    assert read_file(struct).fs == 500.0
    assert np.array_equal(read_file(challenge).signal, read_file(challenge.with_suffix(".hea")).signal)


@pytest.mark.parametrize("name", ["gone.hea", "gone.edf", "gone", "gone.dat"])
def test_a_missing_file_is_a_path_to_check_and_no_copy_of_a_corpus_to_complete(name, tmp_path):
    with pytest.raises(RecordError, match="missing") as error:
        read_file(tmp_path / name)
    assert error.value.fix.startswith("check the path")
