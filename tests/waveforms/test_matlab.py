"""The struct files of CPSC2018 read as SciPy reads them."""

import io

import numpy as np
import pytest
import scipy.io

from cgdmer.archives import open_archive
from cgdmer.errors import RecordError
from cgdmer.waveforms import read_record, record_bytes
from cgdmer.waveforms.matlab import LEADS, read_struct

SIGNAL = np.random.default_rng(0).normal(size=(12, 30))


def mat(fields: object, *, compressed: bool = True, name: str = "ECG") -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"before": np.arange(3), name: fields}, do_compression=compressed)
    return stream.getvalue()


@pytest.mark.real
def test_real_records_equal_scipy(real):
    archive = open_archive(real / "cpsc2018_original" / "TrainingSet")
    names = [name for name in archive.names() if name.endswith(".mat")]
    assert len(names) == 10
    for name in names:
        record = read_record(archive, name)
        theirs = scipy.io.loadmat(io.BytesIO(archive.read(name)))["ECG"][0, 0]
        assert np.array_equal(record.signal, theirs["data"].astype(np.float32))
        assert record.signal.flags.c_contiguous
        assert record.comments == [f"Age: {theirs['age'][0, 0]}", f"Sex: {theirs['sex'][0]}"]
        assert (record.fs, record.leads) == (500.0, LEADS)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_what_scipy_writes_reads_the_same(tmp_path, compressed, dtype):
    signal = (SIGNAL * 100).astype(dtype)
    (tmp_path / "A1.mat").write_bytes(mat({"sex": "Female", "age": 61.5, "data": signal}, compressed=compressed))
    record = read_record(open_archive(tmp_path), "A1.mat")
    assert np.array_equal(record.signal, signal.astype(np.float32))
    assert record.comments == ["Age: 61.5", "Sex: Female"]


def test_a_missing_age_or_sex_is_left_out():
    assert read_struct(mat({"sex": "", "age": np.nan, "data": SIGNAL}), "A1.mat").comments == []
    assert read_struct(mat({"data": SIGNAL}), "A1.mat").comments == []


@pytest.mark.parametrize(
    "data",
    [
        mat({"data": SIGNAL[:11]}),
        mat({"data": SIGNAL[:, :0]}),
        mat({"data": "text"}),
        mat({"other": SIGNAL}),
        mat(SIGNAL),
        mat({"data": SIGNAL}, name="val"),
    ],
)
def test_another_content_is_refused(data):
    with pytest.raises(RecordError, match=r"A1\.mat holds no struct ECG with data of 12 rows[\s\S]*through its \.hea"):
        read_struct(data, "A1.mat")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin as one"),
        (b"MATLAB 7.3 MAT-file" + bytes(200), "does not begin as one"),
        (record_bytes("r", np.ones((12, 9), np.int16), 500, LEADS, fmt="16+24")["r.mat"], "does not begin as one"),
        (mat({"data": SIGNAL})[:-9], "an element is cut off"),
        (mat({"data": SIGNAL}, compressed=False)[:-9], "an element is cut off"),
    ],
)
def test_another_file_is_refused(data, message):
    with pytest.raises(RecordError, match=rf"A1\.mat is no readable MATLAB 5 file: [\s\S]*{message}"):
        read_struct(data, "A1.mat")
