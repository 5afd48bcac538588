"""What is written is read back by `wfdb`, by SciPy and by this package."""

import numpy as np
import pytest
import scipy.io
import wfdb

from cgdmer.archives import open_archive
from cgdmer.waveforms import read_record, record_bytes

LEADS = ("I", "II", "AVR")
DIGITAL = np.random.default_rng(0).integers(-32768, 32768, (3, 40)).astype(np.int16)


def put(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("fmt", ["16", "16+24"])
@pytest.mark.parametrize("date", ["", "13:37:00 03/11/2180", "12-May-2020 12:33:59"])
def test_wfdb_reads_what_is_written(tmp_path, fmt, date):
    comments = ["Age: 74", "Dx: 1,2"]
    put(tmp_path, record_bytes("r", DIGITAL, 400, LEADS, gain=200.0, baseline=3, fmt=fmt, comments=comments, date=date))
    theirs = wfdb.rdrecord(str(tmp_path / "r"), physical=False)
    assert np.array_equal(theirs.d_signal.T, DIGITAL)
    assert (theirs.fs, theirs.sig_len, theirs.sig_name) == (400, 40, list(LEADS))
    assert (theirs.adc_gain, theirs.baseline, theirs.units) == ([200.0] * 3, [3] * 3, ["mV"] * 3)
    assert theirs.checksum == theirs.calc_checksum()
    assert theirs.init_value == DIGITAL[:, 0].tolist()
    assert theirs.comments == comments
    ours = read_record(open_archive(tmp_path), "r.hea", verify=True)
    assert ours.checksum_ok
    assert np.array_equal(ours.digital, DIGITAL)


def test_scipy_reads_the_matrix(tmp_path):
    put(tmp_path, record_bytes("r", DIGITAL, 500, LEADS, fmt="16+24"))
    assert np.array_equal(scipy.io.loadmat(tmp_path / "r.mat")["val"], DIGITAL)


def test_the_header_looks_like_ptb_xl():
    files = record_bytes("00009_hr", np.array([[-115, 20]], np.int16), 500, ["I"])
    assert files["00009_hr.hea"] == b"00009_hr 1 500 2\n00009_hr.dat 16 1000.0(0)/mV 16 0 -115 65441 0 I\n"
    assert sorted(files) == ["00009_hr.dat", "00009_hr.hea"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"digital": DIGITAL.astype(np.int32)}, "int16"),
        ({"digital": DIGITAL[:2]}, r"\(3, T\) expected"),
        ({"digital": DIGITAL[:, :0]}, "expected"),
        ({"digital": DIGITAL[0]}, "expected"),
        ({"name": "../r"}, "record name"),
        ({"fmt": "212"}, "formats are 16, 16"),
        ({"comments": ["a\nb"]}, "line break"),
        ({"leads": ["I", "II", "a\rb"]}, "line break"),
    ],
)
def test_what_would_not_read_back_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        record_bytes(**{"name": "r", "digital": DIGITAL, "fs": 500, "leads": LEADS, **arguments})
