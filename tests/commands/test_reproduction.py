"""The end of `make demo`: how far this run is from the committed table, and what it changed in git."""

import json
import subprocess

import pytest

from cgdmer import cli, paths
from cgdmer.commands import reproduction
from cgdmer.files import write_json


def metrics(**changed):
    """Return the content of metrics.json with two tasks; `changed` moves the method on one of them."""

    def cell(value):
        return {"mean": value, "low": 0.1, "high": 0.9, "n_test": 9, "seeds": 1, "protocol": "canonical"}

    random = {"pooled": cell(0.6 + changed.get("random", 0.0))}
    auroc = {
        task: {"1.0": {"cgdmer": {"pooled": cell(0.7 + changed.get(task, 0.0))}, "random": random}}
        for task in ("csn", "cpsc2018")
    }
    zero = {
        "csn": {"mean": 0.5, "low": 0.4, "high": 0.6, "n_test": 9, "protocol": "canonical", "prompts": "statements"}
    }
    return {"auroc": auroc, "zero_shot": zero}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with committed results."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("HOME", tmp_path), ("GIT_CONFIG_NOSYSTEM", "1")):
        monkeypatch.setenv(name, str(value))
    write_json(paths.METRICS, metrics())
    (tmp_path / "params.yaml").write_text("probe: {}\n")
    (tmp_path / "dvc.lock").write_text("a\n")
    (tmp_path / "code.py").write_text("a\n")
    git("init", "-q")
    git("add", "reports", "params.yaml", "dvc.lock", "code.py")
    git("-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-q", "-m", "first")
    return tmp_path


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_equal_results_leave_git_clean(checkout):
    text = reproduction.summary()
    assert text.splitlines()[0].startswith("Every AUROC equals that of the committed results")
    assert text.splitlines()[1:] == ["git: no tracked file has changed."]


def test_a_difference_within_the_tolerance_is_told_by_task(checkout, capsys):
    write_json(paths.METRICS, metrics(csn=0.03))
    (checkout / "dvc.lock").write_text("b\n")
    assert cli.main(["table"]) == 0
    text = capsys.readouterr().out
    assert "CSN             largest 0.030 (pooled, 100%), mean 0.015" in text
    assert "CPSC2018        largest 0.000 (pooled, 100%), mean 0.000" in text
    assert "CG-DMER, all    largest 0.030 (pooled, 100%), mean 0.010: within the tolerance" in text
    assert "controls        largest 0.000" in text
    assert "git: this run changed dvc.lock, reports/metrics.json, because this machine rounds differently" in text
    assert "git stash push dvc.lock reports" in text


def test_beyond_the_tolerance_and_changed_controls_are_told(checkout):
    write_json(paths.METRICS, metrics(csn=-0.07, random=0.01))
    (checkout / "code.py").write_text("b\n")
    text = reproduction.summary()
    assert "BEYOND the tolerance" in text
    assert (
        "controls        largest 0.010 (Random transformer, pooled, 100%), mean 0.010: the code or the versions" in text
    )
    assert "because the code or the settings differ from the commit" in text
    assert "git: not from this run: code.py." in text
    many_small = metrics(csn=0.05, cpsc2018=0.05)
    assert "BEYOND" in reproduction.verdict(list(reproduction.compare(many_small, metrics())), "x")[-2]


def test_results_of_other_code_are_told_by_their_controls(checkout):
    write_json(paths.METRICS, metrics(random=0.01))
    text = reproduction.summary()
    assert "the committed results are of other code or other library versions" in text
    assert "CSN  " not in text  # the method has not changed, so its tasks are not listed
    assert "CG-DMER, all    largest 0.000" in text


def test_versions_alone_are_told_as_such(checkout):
    write_json(paths.METRICS, metrics() | {"versions": {"code": "b"}})
    assert "the code, versions or times of a run are noted there" in reproduction.summary()


def test_another_profile_or_no_checkout_is_not_compared(checkout, monkeypatch):
    (checkout / "params.yaml").write_text("probe: {seeds: 1}\n")
    assert reproduction.summary().startswith("Not compared with the committed results: params.yaml")
    monkeypatch.setenv("PATH", "")
    assert reproduction.summary() == ""


def test_outside_git_nothing_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write_json(paths.METRICS, metrics())
    assert reproduction.summary() == ""


def test_numbers_that_only_one_of_both_has_do_not_count():
    other = json.loads(json.dumps(metrics()))
    del other["auroc"]["csn"], other["auroc"]["cpsc2018"]["1.0"]["random"]
    assert {change.encoder for change in reproduction.compare(metrics(), other)} == {"cgdmer"}
    assert "hold none of these numbers" in reproduction.verdict([], "x")[0]
