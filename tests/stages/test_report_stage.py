"""Stage report on a finished run: the same bytes on every run, nothing unescaped, and features that are off."""

import re
from pathlib import Path

import pytest
from support import example_report

from cgdmer import paths, settings, stages

REPORT = settings.Report()


def outputs() -> dict[str, bytes]:
    files = [paths.METRICS, paths.REPORT_HTML, paths.REPORT_MD, *sorted((paths.REPORTS / "plots").iterdir())]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_second_run_gives_the_same_bytes_and_no_path_of_this_machine(folder):
    example_report.write()
    with_examples = REPORT.model_copy(update={"examples": "always"})
    stages.find("report")(report=with_examples, matrix=example_report.MATRIX)
    first = outputs()
    stages.find("report")(report=with_examples, matrix=example_report.MATRIX)
    assert outputs() == first
    assert {"auroc_by_fraction.svg", "auroc_by_class.svg", "training.svg", "training.csv"} <= set(first)
    for name, content in first.items():
        assert str(folder).encode() not in content, name
    page = first["report.html"].decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)


def test_a_run_without_reports_reconstruction_or_real_records_says_so(folder):
    example_report.compute("simulate", contrastive=0.0, report_reconstruction=0.0, ecg_reconstruction=0.0)
    stages.find("report")(report=settings.Report(published=False, fraction=0.1), matrix=example_report.MATRIX)
    page = paths.REPORT_HTML.read_text()
    assert "trained without reports" in page
    assert "trained without masked reconstruction" in page
    assert "there is no real record" in page
    assert "Simulated, not recorded: PTB-XL" in page
    assert 'id="published"' not in page
    assert "10% of the training labels" in page
    assert "Simulated, not recorded: PTB-XL" in paths.REPORT_MD.read_text()
