"""Runs with other settings in clones, and DVC experiments: the project stays, and nothing is computed twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cgdmer import publishing, settings
from cgdmer.errors import ConfigError
from cgdmer.publishing import Published
from flows import experiments, variants

BIN = Path(sys.executable).parent
PIPELINE = {"stages": {
    "raw": {"cmd": "python make.py raw 0", "deps": ["make.py"], "outs": ["data/raw"]},
    "report": {"cmd": "python make.py report ${train.epochs}", "deps": ["data/raw"], "params": ["train.epochs"],
               "outs": [{"reports/metrics.json": {"cache": False}}, "data/model"]},
}}  # fmt: skip
MAKE = """
import os, pathlib, sys, time
with open(os.environ["CALLS"], "a") as calls:
    print(*sys.argv[1:], file=calls)
for name in {"raw": ["data/raw"], "report": ["reports/metrics.json", "data/model"]}[sys.argv[1]]:
    pathlib.Path(name).parent.mkdir(exist_ok=True)
    pathlib.Path(name).write_text(" ".join(sys.argv[1:]))
if sys.argv[2] == "77":
    time.sleep(60)
"""
"""A stage notes each call in the file CALLS, outside the project; with 77 epochs it would take a minute."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*words, code=0):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def git(*words):
    return run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words)


def prepare(patch, folder):
    """Make the project the working directory and set its variables."""
    patch.chdir(folder)
    patch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    patch.setenv("CALLS", str(folder.parent / "calls"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "CGDMER_REPORTS_URL", "CGDMER_RAW_ROOT"):
        patch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with a project that has a commit and results, and with the notes of its stages; no test changes it."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "project").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch, folder / "project")
        Path("dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
        Path("make.py").write_text(MAKE)
        Path("params.yaml").write_text("# mine\ntrain:\n  epochs: 1\n")
        Path(".gitignore").write_text("/.cgdmer/\n")
        git("init", "-q", ".")
        run("dvc", "init", "-q")
        run("dvc", "repro", "-q")
        git("add", "-A")
        git("commit", "-qm", "first")
    return folder


@pytest.fixture
def project(original, tmp_path, monkeypatch):
    """A copy of the project, in which each stage takes no time."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    prepare(monkeypatch, tmp_path / "project")
    return tmp_path / "project"


def calls(project):
    return (project.parent / "calls").read_text().split("\n")[:-1]


def state(project):
    """Return what a run beside the project must leave as it is."""
    git = ["git", "-C", str(project), "status", "--porcelain", "--ignored"]
    names = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    return [name for name in names.splitlines() if ".cgdmer" not in name], (project / "params.yaml").read_text()


def test_a_clone_has_the_results_and_computes_only_what_its_settings_change(project):
    before = state(project)
    with variants.workspace({"train": {"epochs": 2}}, None) as folder:
        assert Path.cwd() == project / folder
        assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{project}/mlflow.db"
        assert Path("data/raw").read_text() == "raw 0"
        run("dvc", "repro", "-q")
        assert Path("data/model").read_text() == "report 2"
    assert Path.cwd() == project
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert calls(project) == ["raw 0", "report 1", "report 2"]
    assert state(project) == before
    assert Path("data/model").read_text() == "report 1"


def test_a_run_that_was_stopped_goes_on_in_its_clone(project):
    before, wanted = state(project), {"train": {"epochs": 2}}
    with pytest.raises(KeyboardInterrupt), variants.workspace(wanted, None) as first:
        Path("checkpoint").write_text("step 3")
        raise KeyboardInterrupt
    assert (Path.cwd(), state(project)) == (project, before)
    with variants.workspace(wanted, None) as again:
        assert Path("checkpoint").read_text() == "step 3"
    assert again == first
    with variants.workspace({"train": {"epochs": 3}}, None) as other:
        assert not Path("checkpoint").exists()
    assert other != first


def test_a_clone_that_was_left_incomplete_is_made_again(project, monkeypatch):
    def fails(_project):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(variants, "checkout", fails)
        with variants.workspace({"train": {"epochs": 2}}, None):
            raise AssertionError("the block must not begin")
    assert not list(variants.FOLDER.glob("[0-9a-f]*[0-9a-f]/params.yaml"))
    with variants.workspace({"train": {"epochs": 2}}, None):
        assert Path("data/raw").exists()


def test_code_that_no_commit_holds_is_refused(project):
    Path("make.py").write_text("print('other')")
    with pytest.raises(ConfigError, match="uncommitted changes"), variants.workspace({}, None):
        pass
    git("checkout", "-q", "make.py")
    Path("params.yaml").write_text("train:\n  epochs: 5\n")  # no code
    with variants.workspace({"train": {"epochs": 2}}, None):
        assert yaml.safe_load(Path("params.yaml").read_text()) == {"train": {"epochs": 2}}


def test_clones_that_nobody_uses_are_removed(project, monkeypatch):
    with variants.workspace({"train": {"epochs": 2}}, None) as folder:
        assert variants.clean(0.0) == []  # in use
    folder = project / folder
    assert variants.clean() == []
    lock = folder.with_suffix(".lock")
    os.utime(lock, (time.time() - 40 * 86400,) * 2)
    with monkeypatch.context() as patch:  # another flow run removed a clone that this one has listed
        patch.setattr(Path, "glob", lambda self, pattern: [self / "gone.lock"])
        assert variants.clean() == []
    (line,) = variants.clean()
    assert "not used for 40 days" in line
    assert not folder.exists()
    assert not lock.exists()


@pytest.fixture
def published(project, monkeypatch):
    """What `publish` was called with, by label; the settings of this small project are no whole settings."""
    seen = {}

    def publish(chosen, label):
        seen[label] = (Path("data/model").read_text(), Path.cwd().is_relative_to(project / ".cgdmer"))
        return Published(f"run of {label}", {})

    monkeypatch.setattr(settings, "load", lambda: None)
    monkeypatch.setattr(publishing, "publish", publish)
    return seen


def test_experiments_are_recorded_from_the_cache_and_the_workspace_stays(project, published, capsys):
    run("dvc", "exp", "run", "-q", "--temp", "--name", "two", "-S", "train.epochs=2")
    run("dvc", "exp", "run", "-q", "--temp", "--name", "full-seed8-0123abcd", "-S", "train.epochs=8")
    run("dvc", "exp", "run", "-q", "--name", "three", "-S", "train.epochs=3")  # in the workspace
    git("checkout", "-q", ".")
    run("dvc", "checkout", "-q")
    before, computed = state(project), calls(project)
    assert experiments.main([]) == 0
    assert published == {"two": ("report 2", True), "three": ("report 3", True)}
    assert capsys.readouterr().out == "three: MLflow run run of three\ntwo: MLflow run run of two\n"
    assert (state(project), calls(project)) == (before, computed)
    assert list(Path(".cgdmer").iterdir()) == []
    assert experiments.main(["tow"]) == 2
    assert "did you mean 'two'" in capsys.readouterr().err


def test_a_project_without_experiments_says_so(project, capsys):
    assert experiments.main([]) == 0
    assert "no experiment" in capsys.readouterr().out


def in_the_foreground():
    """Let Ctrl-C end a process, and only its group, also if the tests run in the background, where it is ignored."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.long
@pytest.mark.parametrize("where", [["--temp"], []])
def test_an_interrupted_experiment_leaves_nothing_odd(project, where):
    """It leaves no experiment and no lock; one in the workspace leaves the value that it set, as DVC says."""
    before = state(project)
    words = ["dvc", "exp", "run", *where, "--name", "long", "-S", "train.epochs=77"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=in_the_foreground)
    deadline = time.monotonic() + 120
    while "report 77" not in calls(project):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C sends
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert experiments.stored() == {}
    if not where:
        assert "epochs: 77" in Path("params.yaml").read_text()
        git("checkout", "-q", "params.yaml", "reports", "dvc.lock")
        run("dvc", "checkout", "-q", "--force")
    assert state(project) == before
    assert json.loads(run("dvc", "status", "--json")) == {}
    assert "long" not in run("dvc", "exp", "show", "--csv")
    assert not list(Path(".dvc/tmp/exps").glob("standalone/tmp*"))
    run("dvc", "exp", "run", "-q", "--temp", "--name", "next", "-S", "train.epochs=2")
    assert set(experiments.stored()) == {"next"}
