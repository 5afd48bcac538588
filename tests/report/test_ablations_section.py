"""The table of ablations: values with differences, stale rows, and the command that runs them."""

import json
import shutil
from pathlib import Path

import pytest
from support.example_report import MATRIX

from cgdmer import paths, settings, stages
from cgdmer.evaluation import ablations as rows
from cgdmer.files import write_json, write_text
from cgdmer.metrics_json import Metrics
from cgdmer.report import ablations, table
from cgdmer.results import Ablation


def cell(mean):
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "n_test": 24, "protocol": "canonical", "seeds": 2}


def content(profile, **more):
    difference = {"mean": -0.0123, "low": -0.04, "high": 0.01, "n_test": 24}
    return {
        "profile": profile, "does": "sees <nothing>", "key": "0" * 16, "stale": False, "overrides": {},
        "auroc": {"ptb_xl_super": {share: {"pooled": cell(0.701)} for share in ("0.1", "1.0")}},
        "differences": {"ptb_xl_super": dict.fromkeys(("0.1", "1.0"), difference)},
        "zero_shot": {"ptb_xl_super": cell(0.6), "ptb_xl_sub": cell(0.7)},
        "pretraining": {"training": {}, "held_out": {"contrastive": 1.25}},
    } | more  # fmt: skip


def row(profile, **more):
    return Ablation.from_json(content(profile, **more))


@pytest.fixture
def metrics():
    full = {"1.0": {"cgdmer": {"pooled": cell(0.713)}}}
    return Metrics.from_json({"auroc": {"ptb_xl_super": full}, "zero_shot": {"ptb_xl_super": cell(0.65)}})


def test_values_stand_with_differences_intervals_and_n(metrics):
    page = ablations.ablations_section({"no_eyes": row("no_eyes")}, metrics, "1.0", {"contrastive": 1.5})
    for words in ("no eyes", "0.701", "-0.012", "-0.040 to +0.010", "n 24", "0.713", "sees &lt;nothing&gt;", "0.650",
                  "1.250", "1.500", "CG-DMER in full", "With 10% of the labels"):  # fmt: skip
        assert words in page, words
    assert "stale" not in page.lower()


def test_stale_rows_are_marked_and_the_command_is_said(metrics):
    page = ablations.ablations_section({"a": row("a", stale=True), "b": row("b")}, metrics, "1.0", {"contrastive": 1.5})
    assert "a (stale)" in page
    assert "b (stale)" not in page
    assert "make ablations" in page


def test_a_profile_without_reports_has_no_zero_shot(metrics):
    rows = ablations.unlabelled({"a": row("a", zero_shot={})}, metrics, {}).rows
    assert rows[1][1:3] == ["–", "0"]


def test_a_task_or_share_that_is_not_there_shows_a_dash(metrics):
    lacking = row("b", auroc={}, differences={})
    text = table.grid(ablations.labelled({"a": row("a"), "b": lacking}, metrics, "1.0")).splitlines()
    assert text[0] == "| Method | PTB-XL Super, n 24 |"
    assert text[4] == "| b | – |"


def test_without_rows_the_report_names_the_command(run):
    assert json.loads((run / "reports/metrics.json").read_text())["ablations"] == {}
    for name in ("report.html", "report.md"):
        assert "make ablations" in (run / "reports" / name).read_text()


def test_the_report_of_a_run_shows_its_rows(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    shutil.copy(Path(__file__).resolve().parents[2] / "dvc.yaml", ".")
    write_text(tmp_path / "run/params/no_eyes.yaml", "# Ablation: sees nothing.\nobjective: {contrastive: 0.5}\n")
    stored = content("no_eyes")
    write_json(rows.file("no_eyes"), {name: stored[name] for name in stored if name != "stale"})
    stages.find("report")(report=settings.Report(), matrix=MATRIX)
    stored_metrics = json.loads(paths.METRICS.read_text())["ablations"]["no_eyes"]
    assert stored_metrics["stale"] is True
    assert stored_metrics["differences"]["ptb_xl_super"]["1.0"]["mean"] == -0.0123
    assert "| no eyes (stale) | 0.701, -0.012 (-0.040 to +0.010) |" in paths.REPORT_MD.read_text()
    assert "no eyes (stale)" in paths.REPORT_HTML.read_text()
