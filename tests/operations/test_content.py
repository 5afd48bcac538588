"""The digest of a recording covers every file that is read with it, also those of segments."""

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer.operations import content
from cgdmer.recordings import ArrayMetadata, find_recordings
from cgdmer.signals import LEADS
from cgdmer.waveforms import record_bytes


def digest(path):
    [found] = find_recordings([str(path)], ArrayMetadata())
    return content.Digests().of(found)


def segment(folder, name, factor=1.0):
    digital = (example.millivolt() * 1000 * factor).round().astype(np.int16)
    for file, data in record_bytes(name, digital, example.FS, LEADS).items():
        (folder / file).write_bytes(data)


@pytest.fixture
def several(tmp_path):
    """A record of two segments, with a gap between them and a layout before them."""
    for name in ("s1", "s2"):
        segment(tmp_path, name)
    (tmp_path / "lay.hea").write_text("lay 1 500 0\n~ 0 1000/mV 16 0 0 0 0 I\n")
    (tmp_path / "r.hea").write_text("r/4 12 500 6000\nlay 0\ns1 2500\n~ 1000\ns2 2500\n")
    return tmp_path / "r.hea"


@pytest.mark.parametrize("name", ["s1.dat", "s2.dat", "s1.hea", "lay.hea", "r.hea"])
def test_a_change_in_any_file_of_a_segment_changes_the_digest(several, name):
    before, changed = digest(several), several.with_name(name)
    assert digest(several) == before
    changed.write_bytes(changed.read_bytes() + b"#\n")
    assert digest(several) != before


def test_the_digest_of_segments_is_of_content_and_does_not_depend_on_the_name(several, tmp_path):
    before = digest(several)
    (tmp_path / "ward").mkdir()
    for path in tmp_path.glob("*.*"):
        (tmp_path / "ward" / path.name).write_bytes(path.read_bytes())
    assert digest(tmp_path / "ward/r.hea") == before
    (tmp_path / "s2.dat").unlink()
    assert digest(several) != before


def test_segments_of_segments_are_not_followed_and_signals_are_bounded(several, tmp_path, monkeypatch):
    segment(tmp_path, "deep")
    (tmp_path / "lay.hea").write_text("lay/2 12 500 5000\ndeep 2500\nr 2500\n")
    before = digest(several)
    (tmp_path / "deep.dat").write_bytes(b"")
    assert digest(several) == before
    size = len((tmp_path / "s1.dat").read_bytes())
    monkeypatch.setattr(content, "SIGNAL_LIMIT", 2 * size)
    assert digest(several) == before
    monkeypatch.setattr(content, "SIGNAL_LIMIT", 2 * size - 1)
    assert digest(several) != before
