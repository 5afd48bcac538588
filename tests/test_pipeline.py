"""The whole pipeline at a micro size, through DVC: skip, exact reruns, restore, experiments, metrics and plots."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("pipeline")]


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": "", "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run(folder: Path, *words: str) -> str:
    done = command(folder, *words)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def stages_run(output: str) -> set[str]:
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}


def set_param(folder: Path, section: str, key: str, value: object) -> None:
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content[section][key] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A clone-like folder with the micro settings, git and DVC, after one run of all stages side by side."""
    folder = tmp_path_factory.mktemp("project with space")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("cgdmer", "flows", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    (folder / "reports/ablations").mkdir(parents=True)
    for name in (".dvcignore", ".gitignore", "dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvc/plots.html",
                 "reports/ablations/README.md", "reports/rehearsal.json", "reports/realism.json", "reports/real.json",
                 "reports/attentive.json"):  # fmt: skip
        shutil.copy(ROOT / name, folder / name)
    merged = settings.merge(
        settings.read(ROOT / "params/demo.yaml"), settings.read(ROOT / "tests/support/params.micro.yaml")
    )
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "t@example.org")
    run(folder, "git", "config", "user.name", "t")
    run(folder, "dvc", "remote", "add", "-d", "store", str(tmp_path_factory.mktemp("store")))
    run(folder, "python", "-m", "cgdmer", "pipeline")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "first")
    return folder


def test_numbers_are_there_in_the_shape_others_read(project):
    metrics = json.loads((project / "reports/metrics.json").read_text())
    assert set(metrics) >= {"auroc", "zero_shot", "retrieval", "data", "versions"}
    cell = metrics["auroc"]["csn"]["1.0"]["cgdmer"]["pooled"]
    assert set(cell) >= {"mean", "low", "high", "seeds", "n_test", "protocol"}
    assert 0.0 <= cell["low"] <= cell["mean"] <= cell["high"] <= 1.0
    assert set(metrics["auroc"]) == {"csn", "csn_exact"}
    assert metrics["data"]["csn"]["records"] > 150
    assert set(metrics["data"]["csn"]) >= {"records", "quarantined", "digest"}


def test_dvc_has_nothing_to_do_after_stages_ran_side_by_side(project):
    assert stages_run(run(project, "dvc", "repro")) == set()


@pytest.mark.parametrize(
    ("section", "key", "value", "stages"),
    [
        ("zero_shot", "bootstrap", 60, {"zero_shot@csn", "report"}),
        pytest.param("retrieval", "max_records", 20, {"retrieval", "report"}, marks=pytest.mark.long),
    ],
)
def test_one_param_reruns_exactly_what_depends_on_it(project, section, key, value, stages):
    set_param(project, section, key, value)
    assert stages_run(run(project, "dvc", "repro")) == stages


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("report/html.py", {"report"}),
        ("finetuning/training.py", {"finetune@csn"}),
        pytest.param("training/records.py", {"pretrain", "finetune@csn", "report"}, marks=pytest.mark.long),
        ("stages/retrieval.py", {"retrieval"}),
    ],
)
def test_an_edit_reruns_the_stages_that_run_the_file_and_no_other(project, file, stages):
    path = project / "cgdmer" / file
    path.write_text(path.read_text() + "\n# a line that changes no result, so that nothing downstream reruns\n")
    assert stages_run(run(project, "dvc", "repro")) == {"code"} | stages


def test_a_lost_output_comes_back_from_cache_and_from_the_remote(project):
    before = (project / "data/shards/csn/manifest.json").read_bytes()
    run(project, "dvc", "push")
    shutil.rmtree(project / "data/shards/csn")
    run(project, "dvc", "checkout", "data/shards/csn")
    assert (project / "data/shards/csn/manifest.json").read_bytes() == before
    shutil.rmtree(project / "data/shards/csn")
    shutil.rmtree(project / ".dvc/cache")
    run(project, "dvc", "pull")
    assert (project / "data/shards/csn/manifest.json").read_bytes() == before
    assert stages_run(run(project, "dvc", "repro")) == set()


def test_metrics_and_plots_show_offline(project):
    table = run(project, "dvc", "metrics", "show", "--json")
    assert "auroc" in table
    run(project, "dvc", "plots", "show", "-o", "plots_page")
    page = (project / "plots_page/index.html").read_text()
    assert "<img" in page
    assert page.count("vegaEmbed('#") == 3
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page.replace("https://vega.github.io/schema/", "")  # names a format; nothing reads it


@pytest.mark.long
def test_an_experiment_changes_a_param_and_is_listed(project):
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-qm", "second", "--allow-empty")
    output = run(project, "dvc", "exp", "run", "-n", "quick", "-S", "zero_shot.bootstrap=70")
    assert stages_run(output) == {"zero_shot@csn", "report"}
    assert "quick" in run(project, "dvc", "exp", "show", "--md")


@pytest.mark.long
def test_going_back_to_earlier_params_restores_the_model_from_the_cache(project):
    weights, before = project / "data/models/pretrain/weights.safetensors", settings.read(project / "params.yaml")
    seed, made = before["train"]["seed"], []
    fresh = seed + 1000  # no seed of the ablation study, whose pretrainings are in the cache too
    for number in (1, 2):
        set_param(project, "train", "seed", fresh + number)
        assert stages_run(run(project, "dvc", "repro", "pretrain")) == {"pretrain"}
        made.append(weights.read_bytes())
    assert made[0] != made[1]
    set_param(project, "train", "seed", fresh + 1)
    output = run(project, "dvc", "repro", "pretrain")
    assert stages_run(output) == set()
    assert "Stage 'pretrain' is cached - skipping run" in output
    assert weights.read_bytes() == made[0]
    set_param(project, "train", "seed", seed)
    run(project, "dvc", "repro", "pretrain")


@pytest.mark.long
def test_a_critical_expectation_stops_the_pipeline_and_is_named(project):
    set_param(project, "validation", "max_identity_uv", 1e-6)
    done = command(project, "dvc", "repro", "validate@csn")
    assert done.returncode != 0
    assert "lead_identities" in done.stderr
    assert "python -m cgdmer check csn --failed" in done.stderr
    set_param(project, "validation", "max_identity_uv", 100.0)
    run(project, "dvc", "repro")


@pytest.mark.long
def test_ablations_add_their_rows_and_leave_the_workspace_alone(project):
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-qm", "before ablations", "--allow-empty")
    params, lock = ((project / name).read_bytes() for name in ("params.yaml", "dvc.lock"))
    output = run(project, "python", "-m", "flows.ablations", "generative_only", "random_masking")
    assert not {name for name in stages_run(output) if name.startswith(("control@", "robustness@", "probe@random"))}
    assert {"pretrain", "embed@cgdmer-csn", "probe@cgdmer-csn", "zero_shot@csn", "report"} <= stages_run(output)
    assert (project / "params.yaml").read_bytes() == params
    assert (
        yaml.safe_load((project / "dvc.lock").read_bytes())["stages"]["pretrain"]
        == (yaml.safe_load(lock)["stages"]["pretrain"])
    )
    told = json.loads((project / "reports/metrics.json").read_text())["ablations"]
    assert {name: row["stale"] for name, row in told.items()} == dict.fromkeys(
        ("full", "generative_only", "random_masking"), False
    )
    assert (told["generative_only"]["zero_shot"], set(told["random_masking"]["zero_shot"])) == (
        {},
        {"csn", "csn_exact", "mean"},
    )
    apart = told["random_masking"]["differences"]["csn"]["1.0"]["headline"]
    assert apart["low"] <= apart["mean"] <= apart["high"]
    values = told["random_masking"]["auroc"]["csn"]["1.0"]["pooled"]["by_weights"]
    assert len(set(values)) == 2
    assert "random" in told["full"]["controls"]
    assert "random masking" in (project / "reports/report.md").read_text()
    assert {"full-seed", "random_masking-seed"} <= {
        line.split("[")[-1].partition("seed")[0] + "seed" for line in run(project, "dvc", "exp", "list").splitlines()
    }
    assert stages_run(run(project, "python", "-m", "flows.ablations", "generative_only", "random_masking")) == set()
