"""The ablation section: every fraction in full, differences, dots, sentences, stale rows, and the command."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.example_report import MATRIX

from cgdmer import paths, settings, stages
from cgdmer.ablation_results import FORMAT, HEADLINE, Ablation, DifferenceCell, Made
from cgdmer.evaluation import ablations as rows
from cgdmer.files import write_json, write_text
from cgdmer.report import ablations, table
from cgdmer.results import Cell

pytestmark = pytest.mark.xdist_group("report")

SHARES = ("0.01", "1.0")


def cell(mean, n=24):
    return Cell(mean, mean - 0.05, mean + 0.05, n, 2, "canonical", by_weights=[mean - 0.01, mean, mean + 0.01])


def apart(mean, p=0.4, adjusted=None):
    return DifferenceCell(mean, mean - 0.03, mean + 0.02, 24, p, 0.0345, adjusted)


def row(profile, **more):
    """Return a method that is better with 1 % and worse with all labels."""
    differences = {task: {"0.01": {HEADLINE: apart(0.0216, 0.01, 0.031)}, "1.0": {HEADLINE: apart(-0.0123)}}
                   for task in ("ptb_xl_super", "mean")}  # fmt: skip
    one = Ablation(
        format=FORMAT, profile=profile, does="sees <nothing>", key="0" * 16, stale=False, overrides={},
        pretraining_seeds=[8, 9, 10], full_seeds=[8, 9, 10], threads=1, representation="shared",
        made=Made("p", "d", {}),
        auroc={task: {share: {"shared": cell(0.701)} for share in SHARES} for task in ("ptb_xl_super", "mean")},
        zero_shot={task: cell(0.6) for task in ("ptb_xl_super", "mean")},
        differences=differences,
        zero_shot_differences={task: apart(0.04, 0.9, 1.0) for task in ("ptb_xl_super", "mean")},
        pretraining={"training": {}, "held_out": {"contrastive": 1.25}},
    )  # fmt: skip
    return replace(one, **more)


def full():
    shares = {share: {"shared": cell(0.713)} for share in SHARES}
    return row(
        "full", differences={}, zero_shot_differences={}, does="the method with nothing left out",
        auroc={"ptb_xl_super": shares, "mean": shares}, pretraining={"held_out": {"contrastive": 1.5}},
    )  # fmt: skip


@pytest.fixture
def study():
    return {"full": full(), "no_eyes": row("no_eyes")}


def test_every_fraction_and_zero_shot_stand_in_full_with_differences_intervals_p_and_n(study):
    page = ablations.ablations_section(study)
    for words in ("no eyes", "0.701", "-0.012 (-0.042 to +0.008)", "+0.022 (-0.008 to +0.042)", "p 0.400", "n 24",
                  "p 0.031 adjusted", "0.713", "seeds 0.703 to 0.723", "sees &lt;nothing&gt;", "1.250", "1.500",
                  "CG-DMER in full", "3 pretrainings", "shared features", "1% of the training labels",
                  "100% of the training labels", "Zero-shot: macro AUROC"):  # fmt: skip
        assert words in page, words
    assert "<details" not in page
    assert "stale" not in page.lower()


def test_seeds_that_a_repeated_run_vouches_for_are_named(study):
    assert "earlier code" not in ablations.text(study)
    partly = {**study, "no_eyes": replace(study["no_eyes"], vouched=[9, 10])}
    for words in (ablations.text(partly), str(ablations.ablations_section(partly))):
        assert "Seeds 9, 10: pretrained with earlier code." in words


def test_a_dot_stands_for_every_pretraining(study):
    page = ablations.ablations_section(study)
    assert len(re.findall(r"<circle", page)) == 3 * 2 * 3  # columns, methods, pretrainings
    panel = ablations.chart(study, "0.01")
    assert "no eyes +0.022 (-0.008 to +0.042)" in str(panel.figure())


def test_sentences_follow_from_the_numbers_favourable_or_not(study):
    worse = row("no_ears", differences={"mean": {"1.0": {HEADLINE: apart(-0.05, 0.002)}}}, zero_shot_differences={})
    assert ablations.sentences(study | {"no_ears": worse}) == [
        "100% of labels, mean over tasks: worse than the full method: no ears -0.050; better: none; "
        "no difference shown: no eyes -0.012.",
        "1% of labels, mean over tasks: worse than the full method: none; better: no eyes +0.022; "
        "no difference shown: none.",
        "Zero-shot, mean over tasks: worse than the full method: none; better: none; "
        "no difference shown: no eyes +0.040.",
    ]


def test_the_smallest_difference_that_can_be_shown_is_said(study):
    assert "PTB-XL Super 0.035." in ablations.by_task(study, "1.0").caption
    assert "80% power" in ablations.summary(study).caption


def test_stale_rows_are_marked_with_what_changed_and_the_command(study):
    old = row("a", stale=True, changed=["params", "cgdmer/objectives.py"])
    page = ablations.ablations_section(study | {"a": old})
    assert "a (stale)" in page
    assert "no eyes (stale)" not in page
    assert "Stale rows were made with other cgdmer/objectives.py, params. To fix: make ablations" in page


def test_files_that_are_left_out_are_named_with_the_reason(study):
    left_out = {"reports/ablations/a.json": "an earlier format", "reports/ablations/b.json": "other data"}
    said = "a.json (an earlier format), reports/ablations/b.json (other data). To fix: make ablations"
    for shown in ({}, study):
        assert said in ablations.ablations_section(shown, left_out)
        assert said in ablations.text(shown, left_out)
        assert "Not shown" not in ablations.text(shown)


def test_a_profile_without_reports_has_no_zero_shot(study):
    lacking = row("a", zero_shot={}, zero_shot_differences={})
    grid = table.grid(ablations.summary(study | {"a": lacking})).splitlines()
    assert grid[-1].endswith("| – |")
    assert ablations.columns({"a": lacking}) == ["1.0", "0.01"]


def test_a_task_that_is_not_there_shows_a_dash(study):
    lacking = row("b", auroc={}, differences={})
    text = table.grid(ablations.by_task(study | {"b": lacking}, "1.0")).splitlines()
    assert text[0] == "| Method | PTB-XL Super, n 24 |"
    assert text[-1] == "| b | – |"


def test_one_pretraining_is_said_to_be_one():
    one = Cell(0.7, 0.6, 0.8, 24, 2, "canonical", by_weights=[0.7])
    single = row("full", differences={}, pretraining_seeds=[8], auroc={"mean": {"1.0": {"shared": one}}})
    text = table.grid(ablations.summary({"full": single}))
    assert "1 pretraining |" in text
    assert "one seed" in text
    assert "Only one pretraining is finished of CG-DMER in full" in ablations.ablations_section({"full": single})
    assert "Only one pretraining is finished of CG-DMER in full" in ablations.text({"full": single})
    assert ablations.single({"full": full()}) == []


def test_without_rows_the_report_names_the_command(run):
    assert json.loads((run / "reports/metrics.json").read_text())["ablations"] == {}
    for name in ("report.html", "report.md"):
        assert "make ablations" in (run / "reports" / name).read_text()


def test_the_report_of_a_run_shows_its_rows(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    root = Path(__file__).resolve().parents[2]
    shutil.copy(root / "dvc.yaml", ".")
    write_text(Path("params.yaml"), (root / "params/demo.yaml").read_text().replace(
        "  - mimic_iv_ecg\n  simulated:", "  - ptb_xl\n  simulated:").replace(
        "benchmarks:\n  - ptb_xl\n  - cpsc2018\n  - csn\n", "benchmarks: [ptb_xl]\n"))  # fmt: skip
    write_text(tmp_path / "run/params/no_eyes.yaml", "# Ablation: sees nothing.\nobjective: {contrastive: 0.5}\n")
    data = rows.state().made("full").data
    for one in (full(), row("no_eyes")):
        write_json(rows.file(one.profile), replace(one, stale=None, made=Made("p", data, {})).to_json())
    write_json(rows.file("outdated"), {"key": "0"})
    stages.find("report")(report=settings.Report(), matrix=MATRIX)
    stored = json.loads(paths.METRICS.read_text())["ablations"]["no_eyes"]
    assert stored["stale"] is True
    assert stored["differences"]["ptb_xl_super"]["1.0"][HEADLINE]["mean"] == -0.0123
    markdown, page = paths.REPORT_MD.read_text(), paths.REPORT_HTML.read_text()
    assert "| no eyes (stale) | 0.701, -0.012 (-0.042 to +0.008), p 1.000 adjusted |" in markdown
    assert "no difference shown: no eyes (stale) -0.012." in markdown
    for text in (markdown, page):
        assert "no eyes (stale)" in text
        assert "reports/ablations/outdated.json" in text
