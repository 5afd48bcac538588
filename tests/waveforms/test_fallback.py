"""Records that are not plain are read by `wfdb`, from a folder and from a zip, and their claims are bounded."""

import sys

import numpy as np
import pytest
import wfdb

from cgdmer.archives import open_archive
from cgdmer.errors import RecordError
from cgdmer.waveforms import read_record

RNG = np.random.default_rng(0)


def assert_read_as_wfdb_does(pack, folder, factor: float = 1.0) -> None:
    files = {f"p/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    theirs = wfdb.rdrecord(str(folder / "r"))
    ours = read_record(open_archive(pack(files)), "p/r.hea")
    assert np.array_equal(ours.signal, (theirs.p_signal * factor).T.astype(np.float32), equal_nan=True)
    assert ours.signal.flags.c_contiguous
    assert list(ours.leads) == theirs.sig_name
    assert (ours.fs, ours.comments) == (theirs.fs, theirs.comments)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "written").mkdir()
    return tmp_path / "written"


def test_the_suffix_of_a_header_may_be_upper_case(pack):
    header = b"r 1 500 6\nr.dat 8 100/mV 12 0 3 0 0 I"
    content = {suffix: {f"p/r.{suffix}": header, "p/r.dat": bytes(6)} for suffix in ("hea", "HEA")}
    lower, upper = (read_record(open_archive(pack(files)), f"p/r.{suffix}") for suffix, files in content.items())
    assert np.array_equal(lower.signal, upper.signal)


@pytest.mark.parametrize("signal", ["8", "61", "160", "310", "311", "16x2", "16:1"])
@pytest.mark.parametrize(("unit", "factor"), [("mV", 1.0), ("uV", 0.001)])
def test_other_formats_frames_and_skew(pack, folder, signal, unit, factor):
    lines = ["r 2 500 6", f"r.dat {signal} 100/{unit} 12 0 3 0 0 I", f"r.dat 16 100/{unit} 12 0 3 0 0 II", "#Age: 3"]
    if not signal.startswith("16x") and not signal.startswith("16:"):
        lines[2] = lines[2].replace(" 16 ", f" {signal} ")
    (folder / "r.hea").write_text("\n".join(lines))
    (folder / "r.dat").write_bytes(RNG.bytes(36))
    assert_read_as_wfdb_does(pack, folder, factor)


@pytest.mark.parametrize("fmt", ["508", "516", "524"])
def test_compressed_formats(pack, folder, write_with_wfdb, fmt):
    write_with_wfdb(folder, "r", RNG.integers(-100, 100, (50, 2)), fmt, [100.0] * 2, [0] * 2)
    assert_read_as_wfdb_does(pack, folder)


def segments(folder, write_with_wfdb) -> None:
    for name, samples in (("r_1", 5), ("r_2", 4)):
        write_with_wfdb(folder, name, RNG.integers(-100, 100, (samples, 2)), "16", [100.0] * 2, [0] * 2)


def test_several_segments(pack, folder, write_with_wfdb):
    segments(folder, write_with_wfdb)
    (folder / "r.hea").write_text("r/2 2 500 9\nr_1 5\nr_2 4\n#Age: 3\n")
    assert_read_as_wfdb_does(pack, folder)


def test_several_segments_with_a_layout_and_a_gap(pack, folder, write_with_wfdb):
    segments(folder, write_with_wfdb)
    (folder / "r_layout.hea").write_text("r_layout 2 500 0\n~ 0 100/mV 12 0 0 0 0 V1\n~ 0 100/mV 12 0 0 0 0 V2\n")
    (folder / "r.hea").write_text("r/4 2 500 12\nr_layout 0\nr_1 5\n~ 3\nr_2 4\n")
    assert_read_as_wfdb_does(pack, folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["r 1 500 99999999999", "r.dat 61 100/mV"], r"claims 99,999,999,999 samples and its files hold 20 bytes"),
        (["r 1 500 10", "r.dat 16x999999 100/mV"], r"claims 9,999,990 samples"),
        (["r 1 500 10", "r.dat 16:999999999 100/mV"], r"claims 1,000,000,009 samples"),
        (["r/1 1 500 10", "s 99999999999"], r"claims 99,999,999,999 samples"),
        (["r/1 1 500 99999999999", "s 10"], r"claims 99,999,999,999 samples"),
        (["r 1 500 100", "r.dat 61 100/mV"], r"r\.hea: wfdb cannot read it: "),
        (["r 1 500 10", "~ 0 100/mV"], r"r\.hea: "),
        (["r 1 500 10", "other.dat 61 100/mV"], r"other\.dat is missing"),
        (["r/1 1 500 10", "gone 10"], r"gone\.hea is missing"),
        (["r/1 1 500 10", "r 10"], r"r\.hea: "),
        (["r/1 1 500 10", "zero 10"], r"zero\.hea: zero gain"),
    ],
)
def test_what_wfdb_cannot_or_should_not_read_is_refused(pack, lines, message):
    files = {
        "r.hea": "\n".join(lines).encode(),
        "r.dat": bytes(20),
        "s.hea": b"s 1 500 10\nr.dat 16 100/mV 12 0 0 0 0 I\n",
        "zero.hea": b"zero 1 500 10\nr.dat 16 0/mV 12 0 0 0 0 I\n",
    }
    with pytest.raises(RecordError, match=message) as caught:
        read_record(open_archive(pack(files)), "r.hea")
    assert caught.value.fix


def test_without_wfdb_the_reason_names_the_extra(pack, monkeypatch):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    files = {"r.hea": b"r 1 500 10\nr.dat 61 100/mV\n", "r.dat": bytes(20)}
    with pytest.raises(RecordError, match=r"r\.hea: this WFDB format needs wfdb: pip install 'cgdmer\[formats\]'"):
        read_record(open_archive(pack(files)), "r.hea")
