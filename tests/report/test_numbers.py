"""The sections with numbers: which cell goes where, how it is written, and what an absent result looks like."""

from dataclasses import replace

import pytest
from support.example_report import MATRIX

from cgdmer.metrics_json import Headline, Metrics
from cgdmer.report import numbers, table
from cgdmer.report.gather import gather, metrics
from cgdmer.report.table import Marked, stacked
from cgdmer.results import Cell, Direction, RetrievalResult, ZeroShotCell

pytestmark = pytest.mark.xdist_group("report")

POOLED, SHARED = Cell(0.8125, 0.75, 0.9, 24, 5, "canonical"), Cell(0.7, 0.4321, 0.8, 24, 5, "canonical")
CONTROL = Cell(0.6, 0.55, 0.65, 1024, 1, "canonical")
METRICS = Metrics(
    auroc={
        "csn": {"1.0": {"random": {"pooled": CONTROL}}},
        "ptb_xl_super": {
            "0.1": {"cgdmer": {"pooled": SHARED}},
            "1.0": {"cgdmer": {"shared": SHARED, "pooled": POOLED}},
        },
    },
    zero_shot={"csn": ZeroShotCell(0.66, 0.6, 0.7, 1024, "zero-shot, cosine", "statements", "aligned")},
)
RETRIEVAL = RetrievalResult(
    1200, 900, 0.0015, Direction({"10": 0.5, "1": 0.25}, 7.5), Direction({"10": 0.4, "1": 0.2}, 12.0), ["mimic_iv_ecg"]
)


@pytest.fixture
def findings(run):
    return gather(MATRIX)


def test_each_cell_stands_in_the_row_of_its_encoder_and_the_column_of_its_task():
    shown = numbers.probe_table(METRICS, "1.0")
    assert shown.head == ["Encoder and features", stacked("PTB-XL Super", "n 24"), stacked("CSN", "n 1,024")]
    assert shown.rows == [
        [stacked("CG-DMER", "pooled features"), POOLED, None],
        [stacked("CG-DMER", "shared features"), SHARED, None],
        [stacked("Random transformer", "pooled features"), None, CONTROL],
    ]
    assert "100% of the training labels; canonical protocol, 1 or 5 seeds" in shown.caption
    assert "| CG-DMER, pooled features | 0.812 (0.750 to 0.900) | – |" in table.grid(shown)


def test_the_chosen_features_are_marked_named_and_drawn():
    shared = replace(METRICS, headline={"cgdmer": Headline("shared", {"shared": 0.9, "pooled": 0.8})})
    assert numbers.probe_table(shared, "1.0").rows[1][0] == stacked("CG-DMER", "shared features, chosen")
    assert numbers.probe_table(shared, "1.0").rows[0][0] == stacked("CG-DMER", "pooled features")
    assert numbers.probe_table(shared, "1.0").caption.endswith("mean over the tasks: CG-DMER shared.")
    panel = numbers.fraction_chart(shared, "ptb_xl_super", ["cgdmer"])
    assert "CG-DMER 0.70 at 100%" in panel.drawing


def test_a_random_control_shows_the_range_over_its_weights():
    cell = replace(CONTROL, by_weights=[0.58, 0.62, 0.6])
    shown = table.Table("", ["", "x"], [["Random transformer", cell]])
    assert "| Random transformer | 0.600 (0.550 to 0.650), 3 draws: 0.580 to 0.620 |" in table.grid(shown)
    assert '<small class="below">3 draws: 0.580 to 0.620</small>' in table.html(shown)
    assert "draws" not in table.text(shown)


def test_the_headline_section_folds_the_other_fractions():
    page = numbers.headline_section(METRICS, "1.0")
    assert page.index("0.812") < page.index("<details>") < page.index("With 10% of the labels")
    assert "0.750 to 0.900" in page


def test_zero_shot_names_prompts_and_records():
    [shown] = numbers.zero_shot_tables(METRICS)
    assert shown.rows == [["CSN", METRICS.zero_shot["csn"], "1,024", "statements", "zero-shot, cosine"]]
    assert numbers.zero_shot_tables(replace(METRICS, zero_shot={})) == []
    assert "trained without reports" in numbers.zero_shot_section(replace(METRICS, zero_shot={}))


def test_retrieval_counts_k_in_order_and_writes_percent():
    [shown] = numbers.retrieval_tables(RETRIEVAL)
    assert shown.head == ("", "Recall at 1", "Recall at 10", "Median rank")
    assert shown.rows[0] == ["ECG to report", "25.0%", "50.0%", "7.5"]
    assert shown.rows[1] == ["Report to ECG", "20.0%", "40.0%", "12"]
    assert "1,200 held-out records of MIMIC-IV-ECG with 900 distinct reports" in shown.caption
    assert "right in 0.1%" in shown.caption or "right in 0.2%" in shown.caption
    assert numbers.WITHHELD in numbers.retrieval_section(RETRIEVAL)
    assert numbers.retrieval_tables(None) == []


def test_all_charts_share_an_axis_that_starts_at_chance_or_below():
    assert numbers.floor(METRICS) == 0.4
    above = replace(METRICS, auroc={"csn": METRICS.auroc["csn"]})
    assert numbers.floor(above) == 0.5


def test_a_chart_says_in_words_what_it_draws():
    panel = numbers.fraction_chart(METRICS, "ptb_xl_super", ["cgdmer", "random"])
    assert "CG-DMER 0.70 at 10%, 0.81 at 100%" in panel.drawing
    assert "Random transformer" not in panel.drawing
    assert panel.note == "n 24; canonical protocol, 5 seeds."


def test_classes_are_ranked_and_carry_their_test_positives(findings):
    results, every = findings.probes["ptb_xl_super"], metrics(findings)
    panel = numbers.class_chart("ptb_xl_super", results, every, ["cgdmer", "random"], "1.0")
    cell = results["cgdmer"].results["1.0"][every.main("cgdmer")]
    ranked = sorted(cell.per_class, key=lambda name: (-cell.per_class[name], name))
    positions = [panel.drawing.index(f"{name} {results['cgdmer'].test_positives[name]}<") for name in ranked]
    assert positions == sorted(positions)
    assert numbers.class_chart("ptb_xl_super", results, every, ["cgdmer"], "0.5") is None


def test_the_page_holds_every_number_of_the_headline_table(run, findings):
    page = (run / "reports/report.html").read_text()
    for row in numbers.probe_table(metrics(findings), "1.0").rows:
        for shown in row[1:]:
            cell, mark = (shown.value, shown.mark) if isinstance(shown, Marked) else (shown, "")
            assert f'{cell.value()}{mark}<small class="below">{cell.bounds()}</small>' in page
