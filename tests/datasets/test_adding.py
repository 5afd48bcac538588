"""Follow docs/adding_a_dataset.md literally: its code and its three steps add a source to a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from cgdmer.files import read_json

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/adding_a_dataset.md"
RECORDS = 60
EACH = "import json, sys; from cgdmer import cli; print([cli.main(words.split()) for words in json.loads(sys.argv[1])])"


def replaced(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} no longer has exactly one {old!r}"
    path.write_text(text.replace(old, new))


def project(folder):
    """Copy the package and follow the steps of the page."""
    shutil.copytree(ROOT / "cgdmer", folder / "cgdmer", ignore=shutil.ignore_patterns("__pycache__"))
    text = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    (added,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    (folder / "cgdmer/datasets/ward.py").write_text(code)
    replaced(folder / "cgdmer/settings/data.py", '"cpsc2018", "csn"]', '"cpsc2018", "csn", "ward"]')
    replaced(folder / "cgdmer/tables.py", '    "csn": "csn",\n', '    "csn": "csn",\n    "ward": "ward",\n')
    params = yaml.safe_load((ROOT / "params/demo.yaml").read_text())
    params["corpora"] |= yaml.safe_load(added)["corpora"]
    params["corpora"]["ward"]["root"] = str(folder / "ward")
    params["matrix"]["sources"].append("ward")
    params["matrix"]["benchmarks"].append("ward")
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def write_ward(folder, write_record):
    lines = ["record,patient,age,sex,rhythm"]
    for number in range(RECORDS):
        write_record(folder, f"records/{number:04d}", samples=5000)
        signal = np.random.default_rng(number).normal(0, 200, (5000, 2)).astype("<i2")
        one, two = signal.T.astype(int)
        limb = [one, two, two - one, -(one + two) // 2, one - two // 2, two - one // 2]
        full = np.column_stack([*limb, *(one + k * two // 6 for k in range(6))]).astype("<i2")
        full.tofile(folder / f"records/{number:04d}.dat")
        rhythm = "AFIB" if number % 3 == 0 else "SR"
        lines.append(f"{number:04d},p{number // 2},{40 + number % 30},{'MF'[number % 2]},{rhythm}")
    (folder / "ward.csv").write_text("\n".join(lines) + "\n")


def test_the_page_makes_a_source(tmp_path, write_record):
    (tmp_path / "ward").mkdir()
    write_ward(tmp_path / "ward", write_record)
    project(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "CGDMER_EXECUTOR": "serial"}
    words = ["check ward", *(f"run {name} ward" for name in ("acquire", "index", "shards", "validate")), "check ward"]
    command = [sys.executable, "-c", EACH, json.dumps(words)]
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    codes = ran.stdout.splitlines()[-1:]
    assert codes == ["[3, 0, 0, 0, 0, 0]"], ran.stdout + ran.stderr  # 3: not everything is there yet
    facts = read_json(tmp_path / "data/index/ward.facts.json")
    positives = facts["tasks"]["ward"]["positives"]
    assert sum(positives["AFIB"].values()) == RECORDS // 3
    assert sum(positives["SR"].values()) == RECORDS - RECORDS // 3
    assert read_json(tmp_path / "data/shards/ward/manifest.json")["records"] == RECORDS
    assert facts["split"]["kind"] == "hash"
