"""Fine-tuned rows: separate from the probes, named as fine-tuned, and a sentence if there are none."""

import json

import pytest
from support.example_report import MATRIX

from cgdmer import paths, settings, stages
from cgdmer.files import write_json
from cgdmer.report import finetuning, table
from cgdmer.results import ProbeResult

pytestmark = pytest.mark.xdist_group("report")


def figures(mean):
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.05, "n_test": 24, "n_train": 7, "epoch": [3, 9],
            "seeds": [0, 1]}  # fmt: skip


RESULT = {
    "task": "ptb_xl_super",
    "protocol": "full fine-tuning",
    "n_test": 24,
    "results": {
        "0.1": {"fine-tuned": figures(0.61), "from scratch": figures(0.52)},
        "1.0": {"fine-tuned": figures(0.815), "from scratch": figures(0.713)},
    },
}


@pytest.fixture
def results():
    return {"ptb_xl_super": ProbeResult.from_json(RESULT)}


def test_rows_name_the_start_most_labels_first(results):
    [shown] = finetuning.tables(results)
    tuned, scratch = finetuning.STARTS.values()
    assert [row[:2] for row in shown.rows] == [[tuned, "100%"], [scratch, "100%"], [tuned, "10%"], [scratch, "10%"]]
    page = finetuning.finetuning_section(results)
    assert "CG-DMER fine-tuned" in page
    assert "Same architecture from scratch" in page
    assert "0.815" in page
    assert "not linear probes" in page
    assert "2 seeds" in page


def test_metrics_keep_them_apart_from_the_probes(results):
    cell = finetuning.cells(results)["ptb_xl_super"]["1.0"]["from scratch"]
    assert (cell.mean, cell.n_test, cell.seeds, cell.protocol) == (0.713, 24, 2, "full fine-tuning")


def test_a_task_that_lacks_a_share_shows_a_dash(results):
    other = ProbeResult.from_json({**RESULT, "results": {"1.0": RESULT["results"]["1.0"]}})
    [shown] = finetuning.tables(results | {"ptb_xl_sub": other})
    assert table.grid(shown).splitlines()[4].endswith("| – |")


def test_off_says_what_switches_it_on(run):
    content = json.loads((run / "reports/metrics.json").read_text())
    assert content["finetuning"] == {}
    for name in ("report.html", "report.md"):
        assert "finetune.enabled" in (run / "reports" / name).read_text()


def test_the_report_of_a_run_shows_them(run, results, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    write_json(paths.finetuning("ptb_xl_super"), RESULT)
    stages.find("report")(report=settings.Report(), matrix=MATRIX)
    content = json.loads(paths.METRICS.read_text())
    assert set(content["finetuning"]["ptb_xl_super"]) == {"0.1", "1.0"}
    assert "fine-tuned" not in json.dumps(content["auroc"])
    assert "| CG-DMER fine-tuned | 100% | 0.815 (0.715 to 0.865) |" in paths.REPORT_MD.read_text()
    assert "Same architecture from scratch" in paths.REPORT_HTML.read_text()
