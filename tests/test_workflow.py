"""The GitHub workflow follows its schema and runs the make targets of .ci/run, and both run on the declared Pythons."""

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / ".github/workflows/ci.yml"
JOBS = yaml.safe_load(WORKFLOW.read_text())["jobs"]
STEPS = JOBS["ci"]
TARGETS = ["demo", "check", "test"]


@pytest.mark.skipif(not find_spec("check_jsonschema"), reason="needs check-jsonschema: pip install -e '.[dev]'")
@pytest.mark.parametrize(("key", "code"), [("runs-on", 0), ("runs-onto", 1)])
def test_the_workflow_follows_the_published_schema(key, code, tmp_path):
    copy = tmp_path / "ci.yml"
    copy.write_text(WORKFLOW.read_text().replace("runs-on:", f"{key}:"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", copy]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr


def targets(job):
    return [step["run"].removeprefix("make ") for step in job["steps"] if step.get("run", "").startswith("make ")]


def test_the_workflow_and_the_script_run_the_same_targets():
    workflow = targets(STEPS)
    script = re.findall(r"^(?:time )?make ([a-z]+)$", (ROOT / ".ci/run").read_text(), re.M)
    assert workflow == script == TARGETS


def test_a_job_of_its_own_runs_the_long_tests():
    assert targets(JOBS["long"]) == ["long"]


def test_the_image_is_built_with_the_digests_that_the_workflow_records():
    images = JOBS["images"]["steps"]
    commands = "\n".join(step.get("run", "") for step in images)
    assert (ROOT / "docker/digests.sh").is_file()
    assert next(step for step in images if "digests.sh" in step.get("run", ""))["shell"] == "bash"  # with pipefail
    for words in (
        '--build-arg "$(grep ^PYTHON_IMAGE= digests.env)"',
        "-f docker/Dockerfile --target cpu",
        "config --quiet",
    ):
        assert words in commands
    assert images[-1]["with"] == {"name": "digests", "path": "digests.env"}


def test_every_declared_python_is_tested():
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    assert STEPS["strategy"]["matrix"]["python"] == declared


def test_every_hook_is_a_command_that_exists():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    for hook in (hook for repository in config["repos"] for hook in repository["hooks"]):
        words = hook["entry"].split()
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M), hook["id"]
        assert [word for word in words if word.startswith("tests/") and not (ROOT / word).is_file()] == []
