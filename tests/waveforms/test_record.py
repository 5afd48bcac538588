"""Records are decoded as `wfdb` decodes them, bit by bit; one that cannot be used gives a reason."""

import os

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgdmer.archives import open_archive
from cgdmer.errors import RecordError
from cgdmer.waveforms import read_record, record_bytes
from cgdmer.waveforms.formats import BITS

LEADS = ("I", "II")


def assert_equal_to_wfdb(record, path: str) -> None:
    theirs = wfdb.rdrecord(path, physical=False)
    assert np.array_equal(record.digital.T, theirs.d_signal)
    assert record.signal.dtype == np.float32
    assert record.signal.flags.c_contiguous
    assert np.array_equal(record.signal.T, theirs.dac().astype(np.float32), equal_nan=True)
    assert record.fs == theirs.fs
    assert list(record.leads) == theirs.sig_name
    assert record.comments == theirs.comments


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["ptbxl/records500", "ptbxl/records100", "cpsc2018", "csn"])
def test_every_real_record_equals_wfdb(real, corpus):
    archive = open_archive(real / corpus)
    headers = [name for name in archive.names() if name.endswith(".hea")]
    assert headers
    for name in headers:
        record = read_record(archive, name, verify=True)
        assert record.checksum_ok, name
        assert_equal_to_wfdb(record, str(real / corpus / name.removesuffix(".hea")))


@st.composite
def recordings(draw):
    kind = draw(st.sampled_from(sorted(BITS)))
    leads, samples = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    lowest = -(1 << BITS[kind] - 1)
    value = st.one_of(st.integers(lowest, -lowest - 1), st.sampled_from([lowest, lowest + 1, -1, 0, 1, -lowest - 1]))
    digital = draw(st.lists(value, min_size=leads * samples, max_size=leads * samples))
    gain = st.one_of(st.sampled_from([1000.0, 200.0, 4.88, 1 / 3]), st.floats(0.01, 1e5))
    baseline = st.one_of(st.just(0), st.integers(lowest, -lowest - 1))
    same = draw(st.booleans())
    gains = [draw(gain)] * leads if same else draw(st.lists(gain, min_size=leads, max_size=leads))
    baselines = [draw(baseline)] * leads if same else draw(st.lists(baseline, min_size=leads, max_size=leads))
    return str(kind), np.array(digital).reshape(samples, leads), gains, baselines


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recording=recordings())
def test_what_wfdb_writes_in_any_format_reads_the_same(tmp_path, write_with_wfdb, recording):
    kind, digital, gains, baselines = recording
    write_with_wfdb(tmp_path, "r", digital, kind, gains, baselines, fs=360.5, comments=["Age: 3", "free text"])
    record = read_record(open_archive(tmp_path), "r.hea", verify=True)
    assert record.checksum_ok
    assert_equal_to_wfdb(record, str(tmp_path / "r"))


def header(*signals: str, line: str = "r 2 500 4") -> bytes:
    return "\n".join([line, *signals, "#Age: 7", ""]).encode()


def files(first: str = "r.dat 16 1000.0(0)/mV 16 0 0 0 0 I", second: str = "r.dat 16 1000.0(0)/mV 16 0 0 0 0 II"):
    return {"p/r.hea": header(first, second), "p/r.dat": np.arange(8, dtype="<i2").tobytes()}


def test_a_record_reads_the_same_from_folder_and_zip(pack):
    record = read_record(open_archive(pack(files())), "p/r.hea", verify=True)
    assert np.array_equal(record.signal, np.arange(8, dtype=np.float32).reshape(4, 2).T / np.float32(1000))
    assert (record.fs, record.leads, record.comments, record.checksum_ok) == (500.0, LEADS, ["Age: 7"], False)


def test_several_signal_files_of_different_formats(tmp_path, write_with_wfdb):
    rng = np.random.default_rng(0)
    for name, kind, count in (("a", "16", 2), ("b", "212", 1), ("c", "24", 1)):
        write_with_wfdb(tmp_path, name, rng.integers(-2048, 2048, (7, count)), kind, [1000.0] * count, [5] * count)
    lines = [line for name in "abc" for line in (tmp_path / f"{name}.hea").read_text().splitlines()[1:]]
    (tmp_path / "r.hea").write_text("\n".join(["r 4 500 7", *lines]))
    record = read_record(open_archive(tmp_path), "r.hea", verify=True)
    assert record.checksum_ok
    assert_equal_to_wfdb(record, str(tmp_path / "r"))


@pytest.mark.parametrize("fmt", ["16", "80", "212", "24", "32"])
@pytest.mark.parametrize("offset", [0, 5])
def test_the_length_is_taken_from_the_file_where_the_header_leaves_it_out(tmp_path, write_with_wfdb, fmt, offset):
    digital = np.random.default_rng(0).integers(-100, 100, (21, 1))
    write_with_wfdb(tmp_path, "r", digital, fmt, [200.0], [0])
    text = (
        (tmp_path / "r.hea").read_text().replace("r 1 500 21", "r 1 500").replace(f"dat {fmt} ", f"dat {fmt}+{offset} ")
    )
    (tmp_path / "r.hea").write_text(text)
    (tmp_path / "r.dat").write_bytes(bytes(offset) + (tmp_path / "r.dat").read_bytes())
    record = read_record(open_archive(tmp_path), "r.hea")
    assert np.array_equal(record.digital.T, digital)
    assert_equal_to_wfdb(record, str(tmp_path / "r"))


def test_volt_and_microvolt_become_millivolt(tmp_path):
    for name, content in files("r.dat 16 3000/V 16 0 0 0 0 I", "r.dat 16 7(1)/µV 16 0 0 0 0 II").items():
        (tmp_path / os.path.basename(name)).write_bytes(content)
    record = read_record(open_archive(tmp_path), "r.hea")
    stored = np.arange(8.0).reshape(4, 2).T
    assert np.array_equal(record.signal[0], (stored[0] / 3000 * 1000).astype(np.float32))
    assert np.array_equal(record.signal[1], ((stored[1] - 1) / 7 * 0.001).astype(np.float32))


def test_a_negative_gain_turns_a_lead_over(tmp_path):
    for name, content in files("r.dat 16 -1000(2)/mV 16 0 0 0 0 I").items():
        (tmp_path / os.path.basename(name)).write_bytes(content)
    assert_equal_to_wfdb(read_record(open_archive(tmp_path), "r.hea"), str(tmp_path / "r"))


def test_a_missing_sample_is_nan_in_every_format(tmp_path, write_with_wfdb):
    for kind, bits in BITS.items():
        write_with_wfdb(tmp_path, "r", np.array([[1], [-(1 << bits - 1)], [3]]), str(kind), [1000.0], [0])
        assert np.isnan(read_record(open_archive(tmp_path), "r.hea").signal).tolist() == [[False, True, False]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p/r.dat": None}, r"p/r\.dat is missing"),
        ({"p/r.dat": bytes(15)}, r"p/r\.hea: r\.dat holds 3 of the 4 samples its header states"),
        ({"p/r.dat": b""}, r"holds 0 of the 4 samples"),
        (
            {"p/r.hea": files()["p/r.hea"].replace(b"500 4", b"500 400000000000")},
            r"holds 4 of the 400,000,000,000 samp",
        ),
        ({"p/r.hea": files()["p/r.hea"].replace(b"dat 16", b"dat 16+17")}, r"holds 0 of the 4 samples"),
        ({"p/r.hea": files()["p/r.hea"].replace(b"500 4", b"500"), "p/r.dat": b"x"}, r"holds no sample"),
        ({"p/r.hea": None}, r"p/r\.hea is missing"),
        ({"p/r.hea": bytes(2 << 20)}, r"holds 2,097,152 bytes[\s\S]*at most 1,048,576"),
    ],
)
def test_a_record_that_cannot_be_used_says_why(pack, change, message):
    content = {name: data for name, data in {**files(), **change}.items() if data is not None}
    with pytest.raises(RecordError, match=message) as caught:
        read_record(open_archive(pack(content)), "p/r.hea")
    assert "to fix" in str(caught.value)
    assert "/tmp" not in caught.value.problem


def test_a_signal_file_that_is_a_link_out_is_refused(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "r.hea").write_bytes(files()["p/r.hea"])
    (tmp_path / "secret").write_bytes(bytes(16))
    (tmp_path / "corpus" / "r.dat").symlink_to(tmp_path / "secret")
    with pytest.raises(RecordError, match=r"'r\.dat' leads out of the corpus"):
        read_record(open_archive(tmp_path / "corpus"), "r.hea")


def test_only_headers_and_structs_are_records(tmp_path):
    (tmp_path / "r.dat").write_bytes(b"")
    with pytest.raises(RecordError, match=r"r\.dat is not a record"):
        read_record(open_archive(tmp_path), "r.dat")


def test_checksums_are_compared_on_request(tmp_path):
    digital = np.random.default_rng(0).integers(-32768, 32767, (2, 500)).astype(np.int16)
    content = record_bytes("r", digital, 500, LEADS)
    content["r.dat"] = content["r.dat"][:-1] + bytes([content["r.dat"][-1] ^ 1])
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    archive = open_archive(tmp_path)
    assert read_record(archive, "r.hea").checksum_ok is None
    assert read_record(archive, "r.hea", verify=True).checksum_ok is False
    (tmp_path / "r.hea").write_text("r 2 500 500\nr.dat 16\nr.dat 16\n")
    assert read_record(archive, "r.hea", verify=True).checksum_ok is None
