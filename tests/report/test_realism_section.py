"""The section on simulated and real recordings: a column per set and population, and nothing without a result."""

import pytest

from cgdmer.report import realism as subject
from cgdmer.report import table
from cgdmer.report.realism import Intervals, Likeness, Realism

DISTANCE = {"rhythm": 0.12, "ST": 0.08, "Q": 0.1, "4-8 Hz": 0.2}


@pytest.fixture
def measured():
    return Realism(
        "2026-01-02", "a processor, 2 cores", "abc1234",
        [
            Likeness(population, "ptb_xl", 600, 551, {"handcrafted": auroc}, DISTANCE, ["qrs_ms"])
            for population, auroc in (("textbook", 0.992), ("clinical", 0.923))
        ],
        25_061,
        [
            Intervals("clinical, drawn", {"RR": 0.14}, {"RR": 0.056}, 0.09),
            Intervals("ptb_xl, measured", {"RR": 0.13, "P axis": 0.08}, {"RR": 0.058, "P axis": 0.06}, 0.07),
        ],
    )  # fmt: skip


def test_every_set_and_population_has_a_row(measured):
    shown = subject.likeness_table(measured)
    assert [row[1:] for row in shown.rows] == [
        ["0.992", None, "0.12", "0.09", "0.20", "qrs_ms"],
        ["0.923", None, "0.12", "0.09", "0.20", "qrs_ms"],
    ]
    grid = table.grid(shown)
    for text in ("PTB-XL", "textbook", "clinical", "AUROC, Hand-crafted"):
        assert text in grid
    assert "PTB-XL 551 records" in shown.caption
    assert "a processor, 2 cores, 2026-01-02, commit abc1234" in shown.caption


def test_what_is_not_known_is_left_empty_and_the_largest_chance_is_said(measured):
    shown = subject.interval_table(measured)
    rows = {row[0]: row[1:] for row in shown.rows}
    assert rows["P axis"] == [None, "0.08"]
    assert rows["Rank correlations, mean difference"] == ["0.09", "0.07"]
    assert list(shown.head) == ["", "clinical, drawn", "PTB-XL, measured"]
    assert "exceed 0.06 to 0.06, by their size" in shown.caption
    assert "25,061 rows" in shown.caption


def test_the_section_has_what_was_measured_and_nothing_else(measured):
    assert 'id="realism"' in str(subject.realism_section(measured))
    assert subject.realism_section(None) is None
    assert subject.realism_section(Realism("", "", "")) is None
    only = Realism("", "", "", rows=5, intervals=measured.intervals)
    assert len(subject.tables(only)) == 1


def test_it_is_written_and_read_without_loss(measured):
    assert Realism.from_json(measured.to_json()) == measured
