"""docs/adding_an_encoder.md: its file, put into a copy of the package, passes the contract tests and loads weights."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from cgdmer import settings
from cgdmer.encoders import form, published

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/adding_an_encoder.md").read_text()


CONVERT_AND_LOAD = """
import sys
import numpy as np
import torch
from cgdmer import cli, encoders, settings
from cgdmer.encoders import small_cnn
state = {f"encoder.{name}": tensor for name, tensor in small_cnn.network().state_dict().items()}
torch.save({"epoch": 3, "state_dict": state | {"classifier.weight": torch.ones(5, 16)}}, "small_cnn.pth")
assert cli.main(sys.argv[1:]) == 0
weights = {"small_cnn": settings.WeightsFile(file="data/outside/small_cnn")}
setup = encoders.Setup(settings.Signal(), settings.Model(), weights_files=weights)
print(encoders.load("small_cnn", setup).encode(np.zeros((2, 12, 1000), np.float32))["pooled"].shape)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the package with the file of the page in it, and the contract tests."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "cgdmer", folder / "cgdmer", ignore=shutil.ignore_patterns("__pycache__"))
    support = (f"tests/support/{name}.py" for name in ("__init__", "example_pool", "peers"))
    for name in ("tests/encoders/test_contract.py", *support):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    path = re.search(r"`(cgdmer/encoders/\w+\.py)`, in full", PAGE).group(1)
    (folder / path).write_text(blocks("python")[0])
    return folder


def run(project, *words):
    environment = os.environ | {"PYTHONPATH": f"{project}:{project}/tests", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


def test_the_file_of_the_page_keeps_the_contract(project):
    command = blocks("sh")[0].split()
    assert command[:3] == ["python", "-m", "pytest"]
    output = run(project, *command[1:], "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    assert int(re.search(r"(\d+) passed", output).group(1)) >= 10


def test_the_command_of_the_page_converts_its_checkpoint(project):
    command = blocks("sh")[1].split()
    assert command[:2] == ["cgdmer", "convert"]
    assert run(project, "-c", CONVERT_AND_LOAD, *command[1:]).splitlines()[-1] == "(2, 16)"


def test_the_settings_of_the_page_are_settings():
    named, checked = (
        yaml.safe_load(text.replace("<sha256sum of encoder.safetensors>", "a" * 64)) for text in blocks("yaml")
    )
    demo = settings.read(ROOT / "params/demo.yaml")
    merged = settings.parse(settings.merge(demo, named))
    assert merged.embed.outside["small_cnn"] == settings.WeightsFile(file="data/outside/small_cnn")
    assert "small_cnn" in merged.matrix.probed
    merged = settings.parse(settings.merge(demo, checked))
    assert merged.embed.outside["small_cnn"].sha256 == "a" * 64


def test_every_field_of_a_form_and_of_a_checkpoint_is_on_the_page():
    for described in (form.Form, published.Checkpoint):
        for field in fields(described):
            assert re.search(rf"^\| .*`{field.name}`.* \|", PAGE, re.M), field.name
