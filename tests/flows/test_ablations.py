"""Running the ablation study with a scripted DVC: its commands, what is skipped, and one failure among several."""

import os
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest
import yaml
from prefect.context import TagsContext

from cgdmer import paths
from cgdmer.ablation_results import FORMAT, SeedResult
from cgdmer.errors import ConfigError
from cgdmer.evaluation import ablation_rows
from cgdmer.evaluation import ablations as study
from cgdmer.files import read_json, write_json, write_text
from flows import ablations, dvc

ROOT = Path(__file__).resolve().parents[2]


class Result:
    """Stands for the result of a run."""

    def __init__(self, name, seed, key):
        self.content = {"format": FORMAT, "method": name, "seed": seed, "key": key}

    def to_json(self):
        return self.content


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The settings with two seeds, data of a few bytes, and results that cost nothing to compute."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "params", tmp_path / "params")
    demo = (ROOT / "params/demo.yaml").read_text()
    assert "ablations:\n  seeds: 3\n" in demo
    write_text(Path("params.yaml"), demo.replace("ablations:\n  seeds: 3\n", "ablations:\n  seeds: 2\n"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for source in ("mimic_iv_ecg", "ptb_xl", "cpsc2018", "csn"):
        write_json(paths.shards(source) / "manifest.json", {"digest": source})
        write_text(paths.index(source), source)
    result = lambda name, seed, now, folder: Result(name, seed, now.key(name, seed))  # noqa: E731
    monkeypatch.setattr(ablation_rows, "seed_result", result)
    monkeypatch.setattr(ablation_rows, "rows", lambda names, now: [])
    monkeypatch.setattr(study, "code", dict)
    monkeypatch.setattr(ablations, "fetch", lambda revision, folder: folder.mkdir(parents=True))
    monkeypatch.setattr(ablations, "jobs", lambda: 1)
    return tmp_path


@pytest.fixture
def commands(project, monkeypatch):
    """Replace DVC and git: experiments succeed and exist afterwards, unless their method is in `broken`."""
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
    runs = lambda: [tuple(c[c.index("--name") + 1].split("-")[:2]) for c in executed if "exp" in c]  # noqa: E731
    return executed, broken, runs


def test_each_run_is_an_experiment_beside_the_workspace_with_its_changes_and_one_thread(commands):
    executed, _, _ = commands
    before = Path("params.yaml").read_bytes()
    done = ablations.run(["no_disentanglement"], lambda _: None)
    assert done == [("full", 8), ("no_disentanglement", 8), ("full", 9), ("no_disentanglement", 9)]
    data, *experiments, controls, after = executed
    assert controls[:4] == ["dvc", "--wait-for-lock", "repro", "probe@cgdmer_base-ptb_xl"]
    assert "probe@random-ptb_xl" in controls
    assert not any("@cgdmer-" in word for word in controls)
    assert data[:4] == ["dvc", "--wait-for-lock", "repro", "pretraining_set"]
    assert after == ["dvc", "--wait-for-lock", "repro"]
    for command in experiments:
        assert command[:2] == ["env", "OMP_NUM_THREADS=1"]
        assert "--temp" in command
    changes = [[c[i + 1] for i, word in enumerate(c) if word == "-S"] for c in experiments]
    assert changes[0] == ["train.seed=8"]
    assert changes[3] == ["model.disentangled=false", "objective.orthogonality=0.0", "train.seed=9"]
    assert Path("params.yaml").read_bytes() == before


def test_only_the_methods_own_probes_and_zero_shot_are_asked_for(commands):
    executed, _, _ = commands
    ablations.run(["generative_only"], lambda _: None)
    ends = [command[max(i for i, word in enumerate(command) if word == "-S") + 2 :] for command in executed[1:3]]
    probes = [f"probe@cgdmer-{source}" for source in ("ptb_xl", "cpsc2018", "csn")]
    assert ends == [[*probes, *(f"zero_shot@{source}" for source in ("ptb_xl", "cpsc2018", "csn"))], probes]


def test_the_first_seed_of_all_methods_comes_first_and_a_second_call_runs_none(commands):
    _, _, runs = commands
    ablations.run([], lambda _: None)
    methods = ["full", *study.descriptions()]
    assert runs() == [(name, seed) for seed in ("seed8", "seed9") for name in methods]
    assert ablations.run([], lambda _: None) == []
    assert len(runs()) == 2 * len(methods)


def test_a_study_that_was_stopped_goes_on_where_it_was(commands, monkeypatch):
    _, _, runs = commands
    measure, left = ablations.measure, [3]

    def stopping(name, seed, log):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        measure(name, seed, log)

    monkeypatch.setattr(ablations, "measure", stopping)
    with pytest.raises(KeyboardInterrupt):
        ablations.run(["random_masking"], lambda _: None)
    assert runs() == [("full", "seed8"), ("random_masking", "seed8"), ("full", "seed9")]
    monkeypatch.setattr(ablations, "measure", measure)
    assert ablations.run(["random_masking"], lambda _: None) == [("random_masking", 9)]
    assert runs()[3:] == [("random_masking", "seed9")]


def test_a_stale_run_is_run_again_and_a_lost_one_is_read_from_its_experiment(commands):
    _, _, runs = commands
    ablations.run(["random_masking"], lambda _: None)
    write_json(study.seed_file("random_masking", 8), {"format": FORMAT, "key": "of another state"})
    shutil.rmtree(study.scores("random_masking", 9))
    assert ablations.run(["random_masking"], lambda _: None) == [("random_masking", 8), ("random_masking", 9)]
    assert len(runs()) == 4
    write_text(paths.index("csn"), "other records")
    assert len(ablations.run(["random_masking"], lambda _: None)) == 4
    assert len(runs()) == 8


def test_a_result_that_is_lost_meanwhile_is_read_from_its_experiment(commands, monkeypatch):
    measure, lines, undone = ablations.measure, [], []
    undo = lambda *run: undone or undone.append(study.seed_file(*run).unlink())  # noqa: E731
    undoing = lambda name, seed, log: (measure(name, seed, log), undo(name, seed))  # noqa: E731

    monkeypatch.setattr(ablations, "measure", undoing)
    ablations.run(["random_masking"], lines.append)
    told = [line for line in lines if "result is missing" in line]
    assert (len(commands[2]()), study.seed_file("full", 8).exists(), len(told)) == (4, True, 1)


@pytest.mark.parametrize("same", [True, False])
def test_after_a_change_of_code_one_repeated_run_vouches_for_the_others_if_its_numbers_are_the_same(
    commands, monkeypatch, same
):
    """Without a change of its numbers, one run of each method is made; with one, all are."""
    _, _, runs = commands
    code, score = {"a.py": "1" * 64}, {"x": {"1.0": {"shared": 0.5}}}

    def result(name, seed, now, folder):
        return SeedResult(
            format=FORMAT, method=name, seed=seed, key=now.key(name, seed), threads=1, made=now.made(name), auroc=score,
            validation={}, zero_shot={}, pretraining={},
        )  # fmt: skip

    monkeypatch.setattr(ablation_rows, "seed_result", result)
    monkeypatch.setattr(study, "code", lambda: code)
    said = []
    ablations.run(["no_disentanglement"], lambda _: None)
    assert len(runs()) == 4
    code["a.py"] = "2" * 64
    score["x"]["1.0"]["shared"] = 0.5 if same else 0.6
    ablations.run(["no_disentanglement"], said.append, repeat_one=True)
    assert len(runs()) == (6 if same else 8)
    assert sum("vouches for seeds 9" in line for line in said) == (2 if same else 0)
    vouched = {seed: read_json(study.seed_file("full", seed)) for seed in (8, 9)}
    assert [one.get("vouched_by") for one in vouched.values()] == [None, 8 if same else None]
    assert all(study.is_current("full", seed, study.state()) for seed in (8, 9))


def test_a_run_of_other_params_is_not_vouched_for(commands, monkeypatch):
    _, _, runs = commands
    monkeypatch.setattr(ablation_rows, "seed_result", lambda name, seed, now, folder: SeedResult(
        format=FORMAT, method=name, seed=seed, key=now.key(name, seed), threads=1, made=now.made(name), auroc={},
        validation={}, zero_shot={}, pretraining={},
    ))  # fmt: skip
    ablations.run(["no_disentanglement"], lambda _: None)
    write_text(Path("params.yaml"), Path("params.yaml").read_text().replace("epochs: 8", "epochs: 9"))
    ablations.run(["no_disentanglement"], lambda _: None, repeat_one=True)
    assert len(runs()) == 8


def test_the_command_takes_profiles_and_the_option_and_refuses_others(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(ablations, "run", lambda profiles, log, *, repeat_one: calls.append((profiles, repeat_one)))
    assert ablations.main(["no_disentanglement", "--repeat-one"]) == 0
    assert ablations.main([]) == 0
    assert calls == [(["no_disentanglement"], True), ([], False)]
    with pytest.raises(SystemExit) as refused:
        ablations.main(["--repeat-all"])
    assert refused.value.code == 2
    assert "--repeat-all" in capsys.readouterr().err


def test_files_of_an_earlier_format_are_replaced(commands):
    write_json(study.file("random_masking"), {"auroc": {}, "key": "0" * 16})
    lines = []
    ablations.run(["random_masking"], lines.append)
    assert not study.file("random_masking").exists()
    assert any("earlier format" in line for line in lines)


def test_one_failure_does_not_stop_the_others_and_is_named_at_the_end(commands, capsys):
    _, broken, runs = commands
    broken.append("spatial_masking-seed8")
    assert ablations.main(["random_masking", "spatial_masking"]) == 1
    message = capsys.readouterr().err
    assert "1 of 6 runs failed: spatial_masking seed 8" in message
    assert "make ablations PROFILES='spatial_masking'" in message
    assert "boom" in message
    assert len(runs()) == 6
    assert [study.seed_file("spatial_masking", seed).is_file() for seed in (8, 9)] == [False, True]
    assert read_json(study.seed_file("random_masking", 8))["seed"] == 8


def test_as_many_runs_at_a_time_as_jobs(project, monkeypatch):
    monkeypatch.setattr(ablations, "jobs", lambda: 2)
    running, most, lock = [0], [0], threading.Lock()

    def attempt(name, seed, log):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1

    monkeypatch.setattr(ablations, "attempt", attempt)
    assert ablations.in_threads([("full", seed) for seed in range(6)], lambda _: None) == {}
    assert most[0] == 2


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


def test_the_flow_carries_out_each_run_as_a_task_tagged_with_its_method(monkeypatch):
    submitted = []

    class Task:
        def submit(self, name, seed):
            submitted.append((name, seed, TagsContext.get().current_tags))
            return self

        def result(self):
            return None

    monkeypatch.setattr(ablations, "carry_out", Task())
    assert ablations.in_tasks([("full", 8), ("random_masking", 8)], lambda _: None) == {}
    assert submitted == [("full", 8, {"method:full"}), ("random_masking", 8, {"method:random_masking"})]


def test_the_deployment_names_this_flow():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entry = next(item for item in deployments if item["name"] == "ablations")
    assert entry["entrypoint"] == "flows/ablations.py:ablations"
    assert ablations.ablations.name == "cgdmer"
    assert set(entry["parameters"]) <= set(ablations.ablations.parameters.properties)
