"""Reading parts of recordings: the same samples as reading the whole file, in memory that does not grow with it."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer.errors import RecordError
from cgdmer.recordings import ArrayMetadata, find_recordings, read, read_file, sources
from cgdmer.recordings.sliding import Sliding, recording_of, windows
from cgdmer.settings import Signal
from cgdmer.signals import LEADS

NOTHING = ArrayMetadata()


@pytest.fixture
def all_long(monkeypatch):
    """Treat every WFDB and EDF file as one that is too long to be read as a whole."""
    monkeypatch.setattr(sources, "LONG", 0)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")


def opened(path):
    return sources.open_source(next(iter(find_recordings([str(path)], NOTHING))), NOTHING)


def whole(path):
    return read(next(iter(find_recordings([str(path)], NOTHING))), NOTHING)


def assert_parts_are_those_of_the_whole(path):
    source, record = opened(path), whole(path)
    assert (source.fs, source.leads, source.samples) == (record.fs, record.leads, record.signal.shape[1])
    for first, last in [
        (0, 1),
        (0, 7),
        (3, 501),
        (501, 502),
        (source.samples - 5, source.samples),
        (0, source.samples),
    ]:
        assert np.array_equal(source.read(first, last), record.signal[:, first:last], equal_nan=True), (first, last)


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212"])
@pytest.mark.parametrize("leads", [3, 12])
def test_parts_of_wfdb_are_those_of_the_whole(fmt, leads, tmp_path, all_long, write_with_wfdb):
    draw = np.random.default_rng(0)
    digital = draw.integers(-120, 120, (1501, leads))
    digital[10, 1] = -128 if fmt == "80" else -(1 << int({"212": 12}.get(fmt, fmt)) - 1)  # a missing sample
    write_with_wfdb(tmp_path, "r", digital, fmt, [200.0 + lead for lead in range(leads)], [0, 3, -2] * (leads // 3))
    assert_parts_are_those_of_the_whole(tmp_path / "r.hea")


def test_parts_of_a_record_whose_header_is_upper_case(tmp_path, all_long):
    example.wfdb(tmp_path, "r0").rename(tmp_path / "r0.HEA")
    assert_parts_are_those_of_the_whole(tmp_path / "r0.HEA")


def test_parts_of_edf_are_those_of_the_whole(tmp_path, all_long):
    assert_parts_are_those_of_the_whole(example.edf(tmp_path, "a"))


def test_leads_in_several_files_are_joined(tmp_path, all_long):
    header = ["r 2 500 1000", "a.dat 16 1000 16 0 0 0 0 I", "b.dat 16+4 1000 16 0 0 0 0 II"]
    Path(tmp_path, "r.hea").write_text("\n".join(header) + "\n")
    rows = np.random.default_rng(1).integers(-900, 900, (2, 1000)).astype("<i2")
    (tmp_path / "a.dat").write_bytes(rows[0].tobytes())
    (tmp_path / "b.dat").write_bytes(b"head" + rows[1].tobytes())
    assert_parts_are_those_of_the_whole(tmp_path / "r.hea")


def test_a_shorter_file_than_its_header_states_is_refused(tmp_path, all_long):
    path = example.wfdb(tmp_path, "r0")
    (tmp_path / "r0.dat").write_bytes((tmp_path / "r0.dat").read_bytes()[:-24])
    with pytest.raises(RecordError, match="holds 2,499 of the 2,500 samples"):
        opened(path)


def test_a_day_of_twelve_leads_needs_little_memory(tmp_path):
    samples = 24 * 3600 * 500
    names = "\n".join(f"day.dat 16 1000 16 0 0 0 0 {lead}" for lead in LEADS)
    (tmp_path / "day.hea").write_text(f"day 12 500 {samples}\n{names}\n")
    with (tmp_path / "day.dat").open("wb") as stream:  # a sparse file: it takes no space where nothing is written
        stream.truncate(samples * 24)
        stream.seek(80_000 * 500 * 24)
        stream.write((example.millivolt(4) * 1000).round().astype("<i2").T.tobytes())
    tracemalloc.start()
    recording = read_file(tmp_path / "day.hea", start=80_000.0, seconds=5.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(recording.signal, example.millivolt(4), atol=1e-5)
    assert recording.stored == 86_400
    assert peak < 64 << 20, "bytes"


def cut(path, **sliding):
    found = find_recordings([str(path)], NOTHING)
    return list(windows(found, NOTHING, Signal(), Sliding(**sliding)))


@pytest.mark.parametrize(
    ("seconds", "every", "start", "expected"),
    [(2, 1, 0, [0, 1, 2, 3]), (2, 1.5, 0.25, [0.25, 1.75]), (5, 1, 0, [0]), (9, 3, 0, [0]), (1, 4, 0, [0, 4])],
)
def test_windows_are_whole_and_in_order(seconds, every, start, expected, tmp_path, all_long):
    path = example.wfdb(tmp_path, "a #1", seconds=5.0)
    made = cut(path, seconds=seconds, every=every, start=start)
    assert [window.start for window in made] == expected
    assert [recording_of(window.id) for window in made] == [(str(path), start) for start in expected]


def test_a_start_beyond_the_end_is_a_reason(tmp_path, all_long):
    path = example.wfdb(tmp_path, "r0")
    assert "it ends at 5 s, before --start 6" in cut(path, seconds=1, every=1, start=6)[0].reason
    with pytest.raises(RecordError, match="it ends at 5 s, and second 6 is asked for"):
        read_file(path, start=6.0, seconds=1.0)


def test_an_absurd_number_of_windows_is_a_reason(tmp_path, monkeypatch, all_long):
    monkeypatch.setattr("cgdmer.recordings.sliding.MAX_WINDOWS", 3)
    assert "it has 4 windows" in cut(example.wfdb(tmp_path, "r0"), seconds=2, every=1)[0].reason
