"""The tables of docs/method.md on what the shipped encoder knows and withstands hold the numbers of the reports."""

import json
import re
from pathlib import Path

import pytest
from support.committed import committed

from cgdmer.tables import TASKS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/method.md").read_text()
ROWS = {
    "RR": "rr", "PR": "pr", "QRS duration": "qrs", "QT": "qt", "QTc, Bazett": "qtc_bazett", "QRS axis": "qrs_axis",
    "T axis": "t_axis", "P axis": "p_axis", "standard deviation of RR": "rr_sd", "RMSSD": "rmssd",
}  # fmt: skip
COLUMNS = (
    ("cgdmer_base", "shared"), ("cgdmer_base", "specific"), ("cgdmer", "shared"), ("random_resnet18", "pooled"),
    ("handcrafted", "pooled"),
)  # fmt: skip


CONDITIONS = {
    "white noise, 0.1 mV": "white noise 0.1 mV", "muscle noise, 0.1 mV": "muscle noise 0.1 mV",
    "baseline wander, 1 mV": "baseline wander 1 mV", "RA and LA exchanged": "RA and LA exchanged",
    "3 leads lost": "3 leads lost", "limb leads alone, new probes": "6 leads (limb)",
    "lead I alone, new probes": "1 lead (I)",
}  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    return committed("reports/measurements.json")["measurements"]


@pytest.mark.parametrize("title", ROWS)
def test_a_row_holds_the_numbers_of_the_report(measured, title):
    table = PAGE.split("| | cgdmer-base, shared |")[1]
    row = re.search(rf"^\| {re.escape(title)} \| (.*) \|$", table, re.M)
    *cells, records = row[1].split(" | ")
    one = measured[ROWS[title]]
    wanted = [one["encoders"][encoder][kind]["r2"] for encoder, kind in COLUMNS]
    assert cells == [f"{r2['mean']:.2f} [{r2['low']:.2f}, {r2['high']:.2f}]" for r2 in wanted]
    assert int(records) == one["n_test"]


def test_what_is_said_of_it_is_true(measured):
    r2 = {name: [one["encoders"][encoder][kind]["r2"]["mean"] for encoder, kind in COLUMNS]
          for name, one in measured.items()}  # fmt: skip
    assert {name for name in ("pr", "qrs", "qt", "qrs_axis") if r2[name][0] > r2[name][-1]} == {"pr", "qrs", "qt"}
    assert all(r2[name][1] < r2[name][0] for name in ROWS.values())


@pytest.mark.parametrize("title", CONDITIONS)
def test_what_a_disturbance_changes_is_that_of_the_card_and_of_the_demo(title):
    row = re.search(rf"^\| {re.escape(title)} \| (.*) \|$", PAGE.split("| | cgdmer-base | demo's encoder |")[1], re.M)
    card = json.loads((ROOT / "cgdmer/base/about.json").read_text())["disturbed"][CONDITIONS[title]]
    changes = []
    for task, source in TASKS.items():
        report = committed(f"reports/robustness/cgdmer/{source}/{task}.json")
        shown = {one["condition"]: one["change"]["mean"] for one in [*report["leads"], *report["disturbances"]]}
        changes.append(shown[CONDITIONS[title]])
    wanted = [card["cgdmer_base"], sum(changes) / len(changes), card["handcrafted"]]
    assert row[1].split(" | ") == [f"{value:+.3f}" for value in wanted]
