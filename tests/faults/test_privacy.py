"""No planted patient number or report text appears in anything written outside data/, logs at DEBUG included."""

import re
import shutil

import pytest
from support import micro_project as micro

from cgdmer import paths, settings, stages
from cgdmer.files import read_json

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.xdist_group("faults")]


def leaks(text: str, planted: list[str]) -> list[str]:
    numbers = set(re.findall(r"(?<!\d)\d{8}(?!\d)", text)) & {name for name in planted if name.startswith("1")}
    return sorted(numbers) + [line[:200] for line in text.splitlines() if micro.PLANTED in line.lower()]


def test_the_planted_words_are_found_where_they_belong(runs):
    index = (runs.calm / paths.shards("mimic_iv_ecg") / "rows.parquet").read_bytes()
    assert index
    assert len(runs.planted) > 150
    assert leaks(f"a {runs.planted[0]} b\n{micro.PLANTED}", runs.planted)


def test_no_log_names_a_patient_or_quotes_a_report(runs):
    assert "records cannot be used" in runs.log
    assert leaks(runs.log, runs.planted) == []


def test_nothing_outside_data_names_a_patient_or_quotes_a_report(runs):
    files = [path for top in ("reports", ".cgdmer") for path in (runs.calm / top).rglob("*") if path.is_file()]
    assert len(files) > 15
    leaked = {path.name: leaks(path.read_bytes().decode("utf-8", "replace"), runs.planted) for path in files}
    assert {name: leak for name, leak in leaked.items() if leak} == {}


def test_a_setting_shows_them_escaped(runs, tmp_path, monkeypatch):
    shutil.copytree(runs.calm, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    config = settings.load()
    with_examples = config.retrieval.model_copy(update={"examples": "always"})
    stages.find("retrieval")(retrieval=with_examples)
    validation = config.validation.model_copy(update={"examples": "always"})
    stages.find("validate")("mimic_iv_ecg", validation=validation, signal=config.signal)
    report = config.report.model_copy(update={"title": f"title {micro.MARKUP}", "examples": "always"})
    stages.find("report")(report=report, matrix=config.matrix)
    assert micro.PLANTED in str(read_json(paths.retrieval())["examples"])
    for page in (paths.REPORT_HTML, paths.validation("mimic_iv_ecg") / "index.html"):
        text = page.read_text()
        assert micro.PLANTED in text, page
        assert "<script" not in text.lower(), page
        assert "&lt;script&gt;alert(7)" in text, page
    assert "<script" not in paths.REPORT_MD.read_text()
