import json
import subprocess
import sys

import pytest
from support.example_report import MATRIX

from cgdmer.errors import DataError
from cgdmer.report import headline
from cgdmer.report.gather import code_digest, gather, metrics
from cgdmer.report.headline import choose
from cgdmer.results import ProbeCell, ProbeResult

pytestmark = pytest.mark.xdist_group("report")


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


def test_a_random_control_has_a_row_for_each_set_of_weights_and_one_with_their_mean(run):
    content = json.loads((run / "reports/metrics.json").read_text())
    for fraction, encoders in content["auroc"]["ptb_xl_super"].items():
        row, rows = encoders["random"]["shared"], content["by_weights"]["ptb_xl_super"][fraction]["random"]
        assert list(rows) == ["0", "1", "2", "3", "4"]
        assert [rows[number]["shared"]["mean"] for number in rows] == row["by_weights"]
        assert row["mean"] == pytest.approx(sum(row["by_weights"]) / 5, abs=1e-6)
        assert len(set(row["by_weights"])) > 1
    assert "by_weights" not in content["auroc"]["ptb_xl_super"]["1.0"]["cgdmer"]["shared"]
    assert set(content["by_weights"]["ptb_xl_super"]["1.0"]) == {"random"}


def result(task, encoder, **by_kind):
    """Return a probe result from (validation, test) macro AUROC by representation; few labels say the opposite."""

    def cell(validation, test):
        return ProbeCell(test, test, test, seeds=[0], n_test=9, validation=[validation])

    most = {kind: cell(*values) for kind, values in by_kind.items()}
    few = {kind: cell(1 - validation, test) for kind, (validation, test) in by_kind.items()}
    return ProbeResult(task, "canonical", {"0.1": few, "1.0": most}, encoder=encoder)


def test_validation_chooses_the_representation_where_test_says_otherwise():
    probes = {
        "csn": {
            "cgdmer": result("csn", "cgdmer", pooled=(0.80, 0.9), shared=(0.86, 0.6), specific=(0.7, 0.95)),
            "random": result("csn", "random", pooled=(0.7, 0.6), shared=(0.6, 0.9)),
        },
        "cpsc2018": {"cgdmer": result("cpsc2018", "cgdmer", pooled=(0.82, 0.9), shared=(0.80, 0.6))},
    }
    made = choose(probes)
    assert {name: one.representation for name, one in made.items()} == {"cgdmer": "shared", "random": "pooled"}
    assert made["cgdmer"].validation == {"pooled": 0.81, "shared": 0.83}, "specific was not probed on every task"
    assert list(made) == ["cgdmer", "random"]
    turned = choose({"csn": {"cgdmer": result("csn", "cgdmer", pooled=(0.9, 0.1), shared=(0.86, 1.0))}})
    assert turned["cgdmer"].representation == "pooled"


def test_a_representation_that_validation_cannot_score_is_not_chosen():
    unknown = result("csn", "cgdmer", pooled=(0.6, 0.6))
    unknown.results["1.0"]["shared"] = ProbeCell(1.0, 1.0, 1.0, seeds=[0], n_test=9, validation=[None])
    assert choose({"csn": {"cgdmer": unknown}})["cgdmer"].validation == {"pooled": 0.6}
    assert choose({"csn": {"cgdmer": ProbeResult("csn", "canonical", {"1.0": {}})}}) == {}


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
    content["pretrained_on"] = []
    text = headline(content).splitlines()
    assert text[0].startswith("Linear probe, macro AUROC [95% interval], 100% of labels, canonical protocol, 2 seeds")
    ours, control = (content["headline"][name]["representation"] for name in ("cgdmer", "random"))
    assert text[1] == f"Features chosen on validation: CG-DMER {ours}, Random transformer {control}, ECG-FM pooled"
    assert text.pop(2) == "‡ Its training used recordings of the test patients: ECG-FM on PTB-XL."
    assert text[2].split() == ["CG-DMER", "Random", "transformer", "ECG-FM", "n", "test"]
    assert text[3].split() == [ours, control, "pooled"]
    cell = content["auroc"]["ptb_xl_super"]["1.0"]["cgdmer"][ours]
    assert text[4].startswith(f"PTB-XL Super   {cell['mean']:.3f} [{cell['low']:.2f}, {cell['high']:.2f}]")
    assert text[4].endswith(" 24")
    assert any(line.startswith("PTB-XL Sub") and " 0.123 [" in line for line in text[-4:])
    content["headline"].pop("ecg_fm")
    content["seen_by"].pop("ecg_fm")
    for fractions in content["auroc"].values():
        for encoders in fractions.values():
            encoders.pop("ecg_fm")
    own = headline(content).splitlines()
    assert "ECG-FM" not in "".join(own)
    assert max(map(len, own)) <= 120


def test_the_table_of_all_encoders_fits_a_terminal():
    cell = {"mean": 0.5, "low": 0.4, "high": 0.6, "seeds": 5, "n_test": 2158, "protocol": "canonical"}
    kinds = dict.fromkeys(("pooled", "shared", "specific"), cell)
    encoders = dict.fromkeys(("cgdmer", "random", "random_resnet18", "handcrafted"), kinds)
    lines = headline({"auroc": {"ptb_xl_rhythm": {"1.0": encoders}}, "zero_shot": {}}).splitlines()
    heads = ("CG-DMER", "Random transformer", "Random ResNet18", "Hand-crafted", "n test")
    assert " ".join(lines[1].split()) == " ".join(heads)
    assert max(map(len, lines)) <= 120


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
