"""Monitoring without a model: the choice of recordings, the wording of an outcome, and the lines of the history."""

from dataclasses import replace

import polars as pl
import pytest

from cgdmer.operations import examined, monitor, samples
from cgdmer.recordings import RecordingPath


@pytest.mark.parametrize("sizes", [(49, 300), (300, 49)])
def test_few_recordings_of_either_sample_are_mentioned(sizes):
    records, reference = sizes
    outcome = monitor.Outcome({}, [], records, 0, reference, monitor.Model("x", "x"), "")
    assert "fewer than 50" in str(outcome)
    assert "fewer than 50" not in str(replace(outcome, records=50, reference=50))


def test_a_file_that_was_moved_away_is_not_new(tmp_path):
    (tmp_path / "here.npy").write_bytes(b"")
    assert monitor._is_new(RecordingPath("here.npy", str(tmp_path), "here.npy"), 1.0)
    assert not monitor._is_new(RecordingPath("gone.npy", str(tmp_path), "gone.npy"), 1.0)


def test_a_doubt_is_compared_without_its_numbers_and_leads():
    doubts = ("amplitude 12 mV", "flat V1 V2", "limb leads contradict each other by 80 uV", "3 samples interpolated")
    kinds = ["amplitude", "flat", "limb leads contradict each other by", "samples interpolated"]
    assert [examined.kind(doubt) for doubt in doubts] == kinds


def test_the_choice_of_recordings_does_not_depend_on_their_order():
    found = [samples.RecordingPath(f"r{number}", "", "") for number in range(50)]
    chosen = samples._choice(found, 10)
    assert len(chosen) == 10
    assert {one.id for one in chosen} == {one.id for one in samples._choice(found[::-1], 10)}
    assert pl.Series([one.id for one in chosen]).n_unique() == 10


def test_half_a_line_of_a_killed_run_costs_no_other_comparison(tmp_path, caplog):
    path = tmp_path / "history.jsonl"
    outcome = monitor.Outcome({}, ["rejected"], 3, 1, 9, monitor.Model("x", "x"), "2026-01-02T03:04:05+00:00")
    monitor._append(path, outcome)
    with path.open("ab") as stream:
        stream.write(b'{"when": "2026-01-03')
    monitor._append(path, outcome)
    assert [entry["drifted"] for entry in monitor._history(path)] == [["rejected"]] * 2
    assert "line 2: no comparison" in caplog.text
    for line in (b"5", b"[]", b"{}", b"[" * 100_000, b"\xe9", b"9" * 9000, b'{"when": 1}'):
        path.write_bytes(line)
        assert monitor._history(path) == []
