"""The step log and the curve."""

import os

import pytest

from cgdmer.training.progress import StepLog, curve


def filled(path, steps):
    log = StepLog(path)
    for step in range(1, steps + 1):
        log.add("train", step, 1, {"lr": 0.1, "loss": float(step), "records_per_s": 3.0, "wait_share": 0.0})
    log.add("held_out", steps, 1, {"loss": 9.0})
    return log


def test_cut_forgets_later_steps_and_a_torn_line(tmp_path):
    log = filled(tmp_path / "steps.jsonl", 5)
    with log.path.open("a") as stream:
        stream.write('{"kind": "train", "st')
    log.cut(3)
    assert [line["step"] for line in log.read("train")] == [1, 2, 3]
    assert log.read("held_out") == []
    assert log.path.read_text().endswith("}\n")


def test_a_cut_that_is_killed_costs_no_line(tmp_path, monkeypatch):
    log = filled(tmp_path / "steps.jsonl", 5)
    before = log.path.read_text()

    def killed(*_):
        assert log.path.read_text() == before, "whole under its name until the new one is there"
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        log.cut(3)
    assert log.path.read_text() == before


def test_the_curve_averages_windows_and_holds_no_timing(tmp_path):
    rows = curve(filled(tmp_path / "steps.jsonl", 5).read("train"), 2)
    assert [(row["step"], row["loss"]) for row in rows] == [(2, 1.5), (4, 3.5), (5, 5.0)]
    assert list(rows[0]) == ["step", "epoch", "lr", "loss"]
