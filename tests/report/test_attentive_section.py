"""The section on the attentive-pooling probe: rows, the linear probe beside them, marks; absent without a result."""

from dataclasses import replace

import pytest
from support.example_report import MATRIX, OUTSIDE

from cgdmer import paths
from cgdmer.attentive.results import AttentiveReport
from cgdmer.errors import DataError
from cgdmer.files import write_json
from cgdmer.report import attentive, gather, html, table


def figures(mean):
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.05, "n_test": 24, "n_train": 7, "epoch": [3, 9],
            "seeds": [0, 1]}  # fmt: skip


def cell(first, second):
    gap = {"mean": first - second, "low": -0.02, "high": 0.04}
    return {"attentive": figures(first), "mean": figures(second), "difference": gap,
            "weight_decay": {"attentive": [0.3, 3.0], "mean": [0.3, 0.3]}}  # fmt: skip


def result(encoder):
    return {"encoder": encoder, "digest": "ab", "width": 64, "tokens": 160,
            "fractions": {"0.1": cell(0.612, 0.604), "1.0": cell(0.823, 0.815)}}  # fmt: skip


CONTENT = {
    "tasks": {"ptb_xl_super": {OUTSIDE: result(OUTSIDE), "cgdmer": result("cgdmer")}},
    "model": "0123456789abcdef", "settings": {"seeds": 2, "lr": 0.01, "weight_decay": [0.3, 3.0]}, "versions": {},
}  # fmt: skip


@pytest.fixture
def report():
    return AttentiveReport.from_json(CONTENT)


@pytest.fixture(scope="module")
def metrics(finished):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished)
        return gather.metrics(gather.gather(MATRIX))


def test_what_is_read_is_what_was_written(report):
    assert AttentiveReport.from_json(report.to_json()) == report


def test_a_row_per_encoder_and_fraction_with_the_linear_probe_of_the_chosen_features(report, metrics):
    [shown] = attentive.tables(report, metrics)
    assert [row[:3] for row in shown.rows] == [
        ["PTB-XL Super", name, labels] for name in ("CG-DMER", "ECG-FM") for labels in ("100%", "10%")
    ]
    assert shown.head[-1] == "Linear probe"
    linear = metrics.auroc["ptb_xl_super"]["1.0"]["cgdmer"][metrics.main("cgdmer")]
    written = table.grid(shown).splitlines()[2]
    assert linear.value() in written
    assert "+0.008, -0.020 to +0.040" in written
    assert "2 seeds" in shown.caption


def test_a_random_control_stands_beside_the_probe_of_its_first_weights(report, metrics):
    results = report.tasks["ptb_xl_super"]
    own = replace(report, tasks={"ptb_xl_super": {"random": replace(results["cgdmer"], encoder="random")}})
    first = metrics.by_weights["ptb_xl_super"]["1.0"]["random"]["0"]["pooled"]
    assert first.mean != metrics.auroc["ptb_xl_super"]["1.0"]["random"]["pooled"].mean
    assert table.grid(attentive.tables(own, metrics)[0]).splitlines()[2].endswith(f"| {first.text()} |")


def test_numbers_on_corpora_that_an_encoder_has_seen_are_marked(report, metrics):
    first, *_, last = table.grid(attentive.tables(report, metrics)[0]).splitlines()[2:]
    assert first.count("†") == last.count("‡") == 3
    unseen = replace(metrics, pretrained_on=[], seen_by={})
    assert "†" not in table.grid(attentive.tables(report, unseen)[0])


def test_the_section_says_whose_weights_they_are_and_is_absent_without_a_result(report, metrics):
    assert "another encoder than this page" in attentive.attentive_section(report, metrics)
    own = replace(report, model=metrics.versions["model"])
    assert "the encoder of this page" in attentive.attentive_section(own, metrics)
    assert attentive.attentive_section(None, metrics) is None
    assert attentive.tables(replace(report, tasks={"ptb_xl_super": {}}), metrics) == []


def test_the_page_and_the_text_show_it_only_if_it_is_there(finished, tmp_path, monkeypatch):
    import shutil

    from cgdmer import settings, stages

    shutil.copytree(finished, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    page, text = paths.REPORT_HTML, paths.REPORT_MD
    assert attentive.TITLE not in text.read_text()
    write_json(paths.attentive(), CONTENT)
    stages.find("report")(report=settings.Report(), matrix=MATRIX)
    assert 'href="#attentive"' in page.read_text()
    assert f"## {attentive.TITLE}" in text.read_text()
    assert html.LINKS["attentive"] == attentive.TITLE
    write_json(paths.attentive(), {"tasks": 5})
    with pytest.raises(DataError, match=r"reports/attentive\.json is damaged") as raised:
        stages.find("report")(report=settings.Report(), matrix=MATRIX)
    assert "python -m cgdmer attentive-probe" in raised.value.fix
