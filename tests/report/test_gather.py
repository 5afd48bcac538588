import json
import subprocess
import sys

import pytest
from support.example_report import MATRIX

from cgdmer.errors import DataError
from cgdmer.report import headline
from cgdmer.report.gather import code_digest, gather, metrics


def test_metrics_have_the_shape_that_other_programs_read(run):
    content = json.loads((run / "reports/metrics.json").read_text())
    assert set(content) >= {"auroc", "finetuning", "zero_shot", "retrieval", "data", "versions"}
    assert list(content["auroc"]["ptb_xl_super"]) == ["0.1", "1.0"]
    cell = content["auroc"]["ptb_xl_super"]["0.1"]["cgdmer"]["shared"]
    assert set(cell) == {"mean", "low", "high", "seeds", "n_test", "protocol"}
    assert (cell["seeds"], cell["n_test"], cell["protocol"]) == (2, 24, "canonical")
    assert content["zero_shot"]["ptb_xl_rhythm"].keys() >= {"mean", "low", "high", "n_test", "protocol"}
    assert set(content["data"]["ptb_xl"]) == {"records", "quarantined", "digest"}
    assert (content["data"]["ptb_xl"]["records"], content["data"]["ptb_xl"]["quarantined"]) == (120, 2)
    assert "examples" not in content["retrieval"]


def test_every_number_is_the_one_the_stage_wrote(run):
    findings = gather(MATRIX)
    content = metrics(findings)
    for task, results in findings.probes.items():
        for encoder, result in results.items():
            for fraction, kinds in result.results.items():
                for kind, cell in kinds.items():
                    written = content.auroc[task][fraction][encoder][kind]
                    assert (written.mean, written.seeds) == (cell.mean, len(cell.seeds))


def test_results_of_an_earlier_run_with_more_corpora_and_encoders_are_left_out(run):
    fewer = MATRIX.model_copy(update={"sources": ["csn"], "benchmarks": ["csn"]})
    with pytest.raises(DataError, match="no probe result"):
        gather(fewer)
    fewer = MATRIX.model_copy(update={"sources": ["ptb_xl"], "probed": ["random"], "robustness": []})
    findings = gather(fewer)
    assert list(findings.sources) == ["ptb_xl"]
    assert {encoder for results in findings.probes.values() for encoder in results} == {"random"}
    assert findings.robustness == {}
    assert gather(MATRIX).robustness


def test_no_probe_result_is_an_error_that_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="dvc repro probe"):
        gather(MATRIX)


def test_the_code_digest_changes_with_a_source_file_alone(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = code_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("n")
    assert code_digest(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    assert code_digest(tmp_path) != first


def test_the_table_for_a_terminal_says_all_that_a_number_needs(run):
    content = json.loads((run / "reports/metrics.json").read_text())
    content["zero_shot"]["ptb_xl_sub"]["mean"] = 0.123
    text = headline(content).splitlines()
    assert text[0].startswith("Linear probe, macro AUROC [95% interval], 100% of labels, canonical protocol, 2 seeds")
    assert text[1].split() == ["CG-DMER", "CG-DMER", "CG-DMER", "Random", "weights", "n", "test"]
    assert text[2].split() == ["pooled", "shared", "specific", "pooled"]
    cell = content["auroc"]["ptb_xl_super"]["1.0"]["cgdmer"]["pooled"]
    assert text[3].startswith(f"PTB-XL Super   {cell['mean']:.3f} [{cell['low']:.2f}, {cell['high']:.2f}]")
    assert text[3].endswith(" 24")
    assert any(line.startswith("PTB-XL Sub") and " 0.123 [" in line for line in text[-4:])
    assert max(map(len, text)) <= 120


def test_the_table_survives_a_task_that_an_encoder_lacks():
    cell = {"mean": 0.5, "low": 0.4, "high": 0.6, "seeds": 1, "n_test": 9, "protocol": "canonical"}
    auroc = {"csn": {"1.0": {"cgdmer": {"pooled": cell}}}, "cpsc2018": {"1.0": {"other": {"pooled": cell}}}}
    lines = headline({"auroc": auroc, "zero_shot": {}}).splitlines()
    assert lines[1].split() == ["CG-DMER", "other", "n", "test"]
    assert lines[3].split() == ["CPSC2018", "-", "0.500", "[0.40,", "0.60]", "9"]
    assert lines[4].split() == ["CSN", "0.500", "[0.40,", "0.60]", "-", "9"]


def test_the_table_needs_no_heavy_library():
    heavy = "{'matplotlib', 'torch', 'scipy', 'sklearn'}"
    code = f"import sys, cgdmer.report; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
