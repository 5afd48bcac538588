"""The comparison with the controls: every fraction, the planned comparison, Holm for all others, power."""

import json
import re
from pathlib import Path

import pytest

from cgdmer import paths
from cgdmer.ablation_results import FORMAT, HEADLINE, MEAN, Ablation, DifferenceCell, Made
from cgdmer.metrics_json import Metrics
from cgdmer.probing import multiplicity, seeds
from cgdmer.report import paired, table

pytestmark = pytest.mark.xdist_group("report")

ROOT = Path(__file__).resolve().parents[2]


def cell(mean, p, n=176):
    return DifferenceCell(mean, mean - 0.03, mean + 0.03, n, p, 0.0421)


@pytest.fixture
def places():
    return {("csn", "1.0"): cell(0.1, 0.0004), ("csn", "0.1"): cell(-0.02, 0.02), (MEAN, "1.0"): cell(0.1, 0.03)}


def test_the_planned_comparison_keeps_its_p_value_and_all_others_are_one_family(places):
    compared = paired.adjusted({"random": places, "handcrafted": places, "st_mem": {("csn", "1.0"): cell(0.0, 0.9)}})
    assert compared["random"][MEAN]["1.0"].p_adjusted is None
    family = [0.0004, 0.02, 0.0004, 0.02, 0.9]
    wanted = multiplicity.holm(family)
    assert compared["random"]["csn"]["1.0"].p_adjusted == pytest.approx(wanted[0])
    assert compared["handcrafted"]["csn"]["0.1"].p_adjusted == pytest.approx(wanted[1])
    assert compared["st_mem"]["csn"]["1.0"].p_adjusted == pytest.approx(wanted[4])


def test_a_table_has_every_fraction_with_interval_p_and_what_could_be_shown(places):
    [one] = paired.paired_tables(paired.adjusted({"random": places}), None)
    lines = table.grid(one).splitlines()
    assert lines[0] == "| Task | 100% of labels | 10% of labels |"
    assert lines[2] == "| Mean over tasks, all | +0.100, +0.070 to +0.130, p 0.030, can show 0.042 | – |"
    assert lines[3] == (
        "| CSN, n 176 | +0.100, +0.070 to +0.130, p < 0.001 adjusted, can show 0.042 "
        "| -0.020, -0.050 to +0.010, p 0.020 adjusted, can show 0.042 |"
    )
    assert "Planned: mean over tasks with all labels." in one.caption


def test_the_section_says_that_one_pretraining_is_behind_it(places):
    page = paired.paired_section(paired.adjusted({"random": places}), "1.0", None)
    assert "one pretraining here" in page
    assert "CSN +0.100 (+0.070 to +0.130)" in page
    assert paired.paired_section({}, "1.0", None) is None


def test_the_protocol_lists_the_planned_comparisons():
    text = (ROOT / "docs/protocols.md").read_text().split("### Planned comparisons")[1].split("\n#")[0]
    assert re.findall(r"^\| CG-DMER \| `(\w+)` \|", text, re.M) == list(paired.PLANNED)
    assert set(paired.PLANNED.values()) == {(MEAN, "1.0")}


def test_a_run_has_the_differences_of_its_predictions(run):
    metrics = Metrics.from_json(json.loads((run / "reports/metrics.json").read_text()))
    apart = metrics.differences["random"]
    assert set(apart) == {"ptb_xl_super", "ptb_xl_sub", "ptb_xl_form", "ptb_xl_rhythm", MEAN}
    for fraction in ("0.1", "1.0"):
        one = apart["ptb_xl_super"][fraction]
        cells = metrics.auroc["ptb_xl_super"][fraction]
        gap = cells["cgdmer"][metrics.main("cgdmer")].mean - cells["random"][metrics.main("random")].mean
        assert one.mean == pytest.approx(gap, abs=3e-6)
        assert one.p_adjusted >= one.p
        means = [apart[task][fraction].mean for task in apart if task != MEAN]
        assert apart[MEAN][fraction].mean == pytest.approx(sum(means) / 4, abs=3e-6)
    assert apart[MEAN]["1.0"].p_adjusted is None
    assert apart[MEAN]["0.1"].p_adjusted is not None
    for text in ((run / "reports/report.html").read_text(), (run / "reports/report.md").read_text()):
        assert "can show" in text


def test_several_pretrainings_stand_below(places):
    cells = {MEAN: {"1.0": {HEADLINE: cell(0.031, 0.2)}, "0.1": {HEADLINE: cell(0.02, 0.01)}}}
    compared = paired.adjusted({"random": places})
    assert len(paired.paired_tables(compared, study({}))) == 1
    shown = paired.paired_tables(compared, study({"handcrafted": cells, "random": cells}))[-1]
    assert "Over 3 pretrainings" in shown.caption
    grid = table.grid(shown)
    assert "+0.031" in grid
    assert grid.count("p 0.020 adjusted") == 2  # twice 0.01: two were not planned
    assert grid.count("p 0.200") == 2


def study(controls):
    """Return the full method of an ablation study."""
    return Ablation(
        format=FORMAT, profile="full", does="", overrides={}, key="0", made=Made("p", "d", {}), threads=1,
        pretraining_seeds=[8, 9, 10], full_seeds=[8, 9, 10], representation="pooled", auroc={}, zero_shot={},
        controls=controls,
    )  # fmt: skip


def test_predictions_of_one_encoder_give_no_difference_from_itself(run):
    scored = paired._scored("cgdmer", {"ptb_xl_super": {"cgdmer": None}}, Metrics({}))
    assert {fraction for _, fraction in scored} == {"0.1", "1.0"}
    for one in scored.values():
        assert seeds.difference(one, one).mean == 0.0
    assert paths.predictions("cgdmer", "ptb_xl_super").is_file()


def test_the_headline_table_says_that_the_method_is_one_pretraining(run):
    for name in ("report.html", "report.md"):
        assert "CG-DMER is one pretraining here" in (run / "reports" / name).read_text()
