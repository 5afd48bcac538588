"""A run on simulated recordings says so where its numbers begin: on the page, in the Markdown, and in the terminal."""

import json
from contextlib import chdir
from pathlib import Path

import pytest
from support import example_report

from cgdmer import cli, settings, stages


@pytest.mark.parametrize(("way", "said"), [("simulate", True), ("local", False)])
def test_simulated_corpora_are_named_before_the_first_number_of_a_task(tmp_path, capsys, way, said):
    with chdir(tmp_path):
        example_report.write(way)
        stages.find("report")(report=settings.Report(), matrix=example_report.MATRIX)
        assert cli.main(["table"]) == 0
        page, text = (Path("reports", name).read_text() for name in ("report.html", "report.md"))
        corpora = json.loads(Path("reports/metrics.json").read_text())["data"]
    warning = "No number on them says anything about patients."
    assert corpora
    assert (warning in page[: page.index('id="results"')]) == said
    assert (warning in text[: text.index("## ")]) == said
    assert ("All recordings are SIMULATED" in capsys.readouterr().out) == said
