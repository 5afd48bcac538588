"""The tables of docs/simulator.md hold the numbers of reports/realism.json."""

import re
from pathlib import Path

import pytest

from cgdmer.files import read_json
from cgdmer.report.realism import Realism

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/simulator.md").read_text()
MEASURED = Realism.from_json(read_json(ROOT / "reports/realism.json"))
LIKENESS = {(one.source, one.population): one for one in MEASURED.likenesses}
COLUMNS = [(source, population) for source in ("ptb_xl", "ludb") for population in ("textbook", "clinical")]
GROUPS = {
    "measurements": "measurements", "rhythm": "rhythm", "P wave, maximum": "P maximum", "Q": "Q", "R": "R", "S": "S",
    "ST segment": "ST", "T wave, maximum": "T maximum", "power at 15 to 25 Hz": "15-25 Hz",
    "power at 25 to 40 Hz": "25-40 Hz",
}  # fmt: skip
KINDS = ("textbook, drawn", "textbook, measured", "clinical, drawn", "clinical, measured", "ptb_xl, measured")


def row(title: str, text: str = PAGE) -> list[str]:
    """Return the cells of the first row of a table with this title."""
    found = re.search(rf"^\| {re.escape(title)} \| (.*) \|$", text, re.M)
    assert found, title
    return [cell.strip() for cell in found[1].split("|")]


@pytest.mark.parametrize(
    ("title", "encoder"),
    [("AUROC, hand-crafted features", "handcrafted"), ("AUROC, `random_resnet18`", "random_resnet18")],
)
def test_how_well_simulated_is_told_from_real(title, encoder):
    assert row(title) == [f"{LIKENESS[place].auroc[encoder]:.3f}" for place in COLUMNS]


@pytest.mark.parametrize("title", GROUPS)
def test_distances_of_groups(title):
    assert row(f"distance: {title}") == [f"{LIKENESS[place].distance[GROUPS[title]]:.2f}" for place in COLUMNS]


@pytest.mark.parametrize("name", ["RR", "PR", "QRS", "QT", "P axis", "QRS axis", "T axis"])
def test_distances_of_intervals(name):
    kinds = {one.name: one for one in MEASURED.intervals}
    table = PAGE.split("| distance from MIMIC-IV-ECG |")[1]
    cells = [kinds[kind].distance.get(name) for kind in KINDS]
    assert row(name, table) == ["" if value is None else f"{value:.2f}" for value in cells]


def test_how_many_rows_and_records():
    assert f"here {MEASURED.rows:,} rows" in PAGE
    assert {one.simulated for one in MEASURED.likenesses} == {600}
    assert f"PTB-XL has {LIKENESS['ptb_xl', 'clinical'].real} records here" in PAGE
    textbook, clinical = (LIKENESS["code15", name].auroc["handcrafted"] for name in ("textbook", "clinical"))
    assert f"told from both populations ({textbook:.3f} and {clinical:.3f})" in " ".join(PAGE.split())
