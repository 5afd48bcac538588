"""Running ablations with a scripted DVC: its commands, what is skipped, and one failure among several."""

import os
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from cgdmer import paths
from cgdmer.errors import ConfigError
from cgdmer.evaluation import ablations as rows
from cgdmer.files import read_json, write_json, write_text
from flows import ablations, dvc

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The settings, weights of the method, and results that cost nothing to compute."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "params", tmp_path / "params")
    shutil.copy(ROOT / "params/demo.yaml", tmp_path / "params.yaml")
    write_text(paths.MODEL / "weights.safetensors", "weights")
    monkeypatch.setattr(rows, "row", lambda name, folder, aligned: {"key": rows.key(name), "aligned": aligned})
    monkeypatch.setattr(rows, "code", dict)
    monkeypatch.setattr(ablations, "fetch", lambda revision, folder, say: None)
    return tmp_path


@pytest.fixture
def commands(project, monkeypatch):
    """Replace DVC and git: experiments succeed and exist afterwards, unless their profile is in `broken`."""
    executed, made = [], {}

    def execute(command, say):
        executed.append(command)
        if "exp" in command:
            name = command[command.index("--name") + 1]
            if any(word in name for word in broken):
                return 255, ["boom"]
            made[name] = "f00"
        return 0, []

    broken = []
    monkeypatch.setattr(dvc, "execute", execute)
    monkeypatch.setattr(ablations, "find", lambda name: made.get(name, ""))
    profiles_run = lambda: [c[c.index("--name") + 1].split("-")[1] for c in executed if "exp" in c]  # noqa: E731
    return executed, broken, profiles_run


def test_each_profile_is_an_experiment_beside_the_workspace_with_its_changes(commands):
    executed, _, _ = commands
    before = Path("params.yaml").read_bytes()
    assert ablations.run(["no_disentanglement"], lambda _: None) == ["no_disentanglement"]
    base, experiment, after = executed
    assert base[:3] == ["dvc", "--wait-for-lock", "repro"]
    assert after == ["dvc", "--wait-for-lock", "repro"]
    assert "--temp" in experiment
    changes = [experiment[i + 1] for i, word in enumerate(experiment) if word == "-S"]
    assert changes == ["model.disentangled=false", "objective.orthogonality=0.0"]
    assert Path("params.yaml").read_bytes() == before


def test_only_the_methods_own_probes_and_zero_shot_are_asked_for(commands):
    executed, _, _ = commands
    ablations.run(["no_orthogonality", "generative_only"], lambda _: None)
    ends = [command[max(i for i, word in enumerate(command) if word == "-S") + 2 :] for command in executed[1:3]]
    probes = [f"probe@cgdmer-{source}" for source in ("ptb_xl", "cpsc2018", "csn")]
    assert ends == [[*probes, *(f"zero_shot@{source}" for source in ("ptb_xl", "cpsc2018", "csn"))], probes]
    assert read_json(rows.file("generative_only"))["aligned"] is False


def test_no_profile_named_means_all_and_a_second_call_runs_none(commands):
    _, _, names = commands
    assert ablations.run([], lambda _: None) == list(rows.descriptions()) == names()
    assert ablations.run([], lambda _: None) == []
    assert names() == list(rows.descriptions())


def test_a_stale_row_is_run_again_and_a_lost_one_is_read_from_its_experiment(commands):
    _, _, names = commands
    ablations.run(["random_masking", "spatial_masking"], lambda _: None)
    write_json(rows.file("random_masking"), {"key": "of another state"})
    rows.file("spatial_masking").unlink()
    write_text(paths.MODEL / "weights.safetensors", "other weights")
    assert ablations.run(["random_masking"], lambda _: None) == ["random_masking"]
    write_text(paths.MODEL / "weights.safetensors", "weights")
    assert ablations.run(["spatial_masking"], lambda _: None) == ["spatial_masking"]
    assert names() == ["random_masking", "spatial_masking", "random_masking"]


def test_one_failure_does_not_stop_the_others_and_is_named_at_the_end(commands, capsys):
    _, broken, names = commands
    broken.append("spatial_masking")
    wanted = ["random_masking", "spatial_masking", "temporal_masking"]
    assert ablations.main(wanted) == 1
    message = capsys.readouterr().err
    assert "1 of 3 ablations failed: spatial_masking" in message
    assert "boom" in message
    assert names() == wanted
    assert [rows.file(name).is_file() for name in wanted] == [True, False, True]


def test_an_unknown_profile_is_refused_before_anything_runs(commands):
    executed, _, _ = commands
    with pytest.raises(ConfigError, match="did you mean 'random_masking'"):
        ablations.run(["random_maskin"], lambda _: None)
    assert ablations.main(["paper"]) == 2
    assert executed == []


def test_a_failing_dvc_is_told_with_its_last_words(project, monkeypatch):
    monkeypatch.setattr(dvc, "execute", lambda command, say: (3, ["one", "", "two"]))
    with pytest.raises(dvc.StageError, match="ended with code 3\none\ntwo"):
        ablations.run([], lambda _: None)


def test_without_a_repository_git_is_told_to_be_made(project, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    with pytest.raises(dvc.StageError, match="not a git repository"):
        ablations.git("for-each-ref")


def test_a_real_command_runs_and_its_lines_are_passed_on(project, monkeypatch):
    script = project / "bin/dvc"
    script.parent.mkdir()
    script.write_text("#!/bin/bash\necho got $*\n")
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    lines = []
    ablations.succeed([str(script), "repro"], "it", lines.append)
    assert lines == ["got repro"]
    assert os.getcwd() == str(project)


def test_the_deployment_names_this_flow():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entry = next(item for item in deployments if item["name"] == "ablations")
    assert entry["entrypoint"] == "flows/ablations.py:ablations"
    assert ablations.ablations.name == "cgdmer"
    assert set(entry["parameters"]) <= set(ablations.ablations.parameters.properties)
