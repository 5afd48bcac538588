"""The struct files of CPSC2018 are read as SciPy reads them, within bounds of memory that SciPy does not keep."""

import io
import struct
import tracemalloc
import zlib

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
    ids=["11 leads", "no sample", "text", "another field", "no struct", "another name"],
)
def test_another_content_is_refused(data):
    with pytest.raises(RecordError, match=r"A1\.mat holds no struct ECG with data of 12 rows[\s\S]*through its \.hea"):
        read_struct(data, "A1.mat")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "its first bytes are not those of one"),
        (b"MATLAB 7.3 MAT-file" + bytes(200), "its first bytes are not those of one"),
        (
            record_bytes("r", np.ones((12, 9), np.int16), 500, LEADS, fmt="16+24")["r.mat"],
            "its first bytes are not those of one",
        ),
        (mat({"data": SIGNAL})[:-9], "an element is cut off"),
        (mat({"data": SIGNAL}, compressed=False)[:-9], "an element is cut off"),
    ],
    ids=["empty", "version 7.3", "WFDB", "cut, compressed", "cut"],  # the bytes hold the time of their writing
)
def test_another_file_is_refused(data, message):
    with pytest.raises(RecordError, match=rf"A1\.mat is not a readable MATLAB 5 file: [\s\S]*{message}"):
        read_struct(data, "A1.mat")


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def claiming(array_class: int, dims: tuple[int, int], *elements: bytes) -> bytes:
    """Return a variable ECG that claims dimensions; its content is what `elements` hold."""
    flags, shape = struct.pack("<2I", array_class, 0), struct.pack("<2i", *dims)
    return element(14, b"".join((element(6, flags), element(5, shape), element(1, b"ECG"), *elements)))


HEADER = b"MATLAB 5.0".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
FIELDS = element(5, struct.pack("<i", 8)) + element(1, b"data\0\0\0\0")


def bomb() -> bytes:
    """Return a compressed variable of 800 kB that inflates to 805 MB."""
    cells = struct.pack("<2I", 9, 12 << 26)
    head = claiming(6, (12, 1 << 23), cells)
    compress, zeros = zlib.compressobj(9), bytes(1 << 20)
    parts = [struct.pack("<2I", 14, len(head) - 8 + (12 << 26)), head[8:], *[zeros] * (12 << 6)]
    content = b"".join(map(compress.compress, parts)) + compress.flush()
    return struct.pack("<2I", 15, len(content)) + content


@pytest.mark.parametrize(
    ("variable", "limit"),
    [
        pytest.param(lambda: claiming(1, (1 << 14, 1 << 13)), 1 << 20, id="184 bytes claim 2**27 cells"),
        pytest.param(lambda: claiming(2, (1 << 14, 1 << 13), FIELDS), 1 << 20, id="216 bytes claim 2**27 structs"),
        pytest.param(bomb, 600 << 20, id="800 kB inflate to 805 MB"),
    ],
)
def test_a_file_that_claims_more_than_it_holds_is_refused_before_it_is_allocated(variable, limit):
    """`scipy.io.loadmat` allocates 1.07 GB for each of the first two files and all that the third inflates to."""
    data = HEADER + variable()
    tracemalloc.start()
    try:
        with pytest.raises(RecordError):
            read_struct(data, "A1.mat")
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
