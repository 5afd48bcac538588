"""What DVC prints in the workers that reproduce stages."""

import subprocess
import sys

import pytest
import yaml

REPRODUCE = """
import sys
from dvc.cli import main
from cgdmer.pipeline import workers
if sys.argv[1] == "quiet":
    workers.quieten_dvc()
sys.exit(main(["repro"]))
"""


@pytest.fixture
def project(tmp_path):
    """A project with a stage that leaves an empty folder, as fine-tuning does where it is switched off."""
    stage = {"cmd": "mkdir out && echo made", "outs": ["out"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"switched_off": stage}}))
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(("how", "warned"), [("plain", True), ("quiet", False)])
def test_an_empty_output_of_a_stage_is_no_warning(project, how, warned):
    done = subprocess.run(
        [sys.executable, "-c", REPRODUCE, how], cwd=project, capture_output=True, text=True, check=True
    )
    assert "made" in done.stdout
    assert ("'out' is empty" in done.stdout + done.stderr) is warned
