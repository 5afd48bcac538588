"""docs/adding_an_encoder.md: its file, put into a copy of the package, passes the contract tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/adding_an_encoder.md").read_text()


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)[0]


def test_the_file_of_the_page_keeps_the_contract(tmp_path):
    shutil.copytree(ROOT / "cgdmer", tmp_path / "cgdmer", ignore=shutil.ignore_patterns("__pycache__"))
    support = (f"tests/support/{name}.py" for name in ("__init__", "example_pool", "peers"))
    for name in ("tests/encoders/test_contract.py", *support):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    path = re.search(r"`(cgdmer/encoders/\w+\.py)`, in full", PAGE).group(1)
    (tmp_path / path).write_text(block("python"))
    command = block("sh").split()
    assert command[:3] == ["python", "-m", "pytest"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{tmp_path}/tests", "PYTEST_ADDOPTS": ""}
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [sys.executable, *command[1:], *quiet],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= 10


def test_the_settings_of_the_page_are_settings():
    overlay = yaml.safe_load(block("yaml").replace("<sha256sum of the file>", "a" * 64))
    merged = settings.parse(settings.merge(settings.read(ROOT / "params/demo.yaml"), overlay))
    assert merged.embed.outside["small_cnn"].file == "data/outside/small_cnn.safetensors"
    assert "small_cnn" in merged.matrix.probed
