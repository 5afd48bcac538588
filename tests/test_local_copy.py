"""A local copy in the layout of PTB-XL runs from acquire to probe after setting one param or variable."""

import zipfile
from pathlib import Path

import pytest

from cgdmer import demo_corpora as simulated
from cgdmer import paths, settings, stages
from cgdmer.files import read_json
from cgdmer.settings import Corpus

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("local_copy")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Return a folder with 240 records in the real layout, unpacked into `PTB-XL`."""
    folder = tmp_path_factory.mktemp("elsewhere")
    simulated.write("ptb_xl", folder / "packed.zip", Corpus(records=240, seed=977))
    with zipfile.ZipFile(folder / "packed.zip") as packed:
        packed.extractall(folder / "unpacked")
    (folder / "packed.zip").unlink()
    (top,) = (folder / "unpacked").iterdir() if not (folder / "unpacked" / "ptbxl_database.csv").exists() else (None,)
    (top or folder / "unpacked").rename(folder / "PTB-XL")
    return folder


@pytest.mark.parametrize("by", ["param", "variable"])
def test_a_local_copy_runs_through(copy, by, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = settings.read(ROOT / "params/demo.yaml")
    content["matrix"] |= {"sources": ["ptb_xl"], "benchmarks": ["ptb_xl"]}
    content["probe"] |= {"fractions": [1.0], "C": [0.01, 1.0], "bootstrap": 50}
    content["model"] |= {"width": 32, "depth": 1, "heads": 2}
    if by == "param":
        content["corpora"]["ptb_xl"]["root"] = str(copy / "PTB-XL")
    else:
        monkeypatch.setenv("CGDMER_RAW_ROOT", str(copy))
    chosen = settings.parse(content)
    calls = ["protocol", "acquire ptb_xl", "index ptb_xl", "shards ptb_xl", "validate ptb_xl"]
    for words in [*calls, "embed random ptb_xl", "probe random ptb_xl"]:
        stage, *items = words.split()
        stages.call(stage, items, chosen)
    assert read_json(paths.raw("ptb_xl") / "manifest.json")["way"] == "local"
    assert not list(paths.raw("ptb_xl").glob("*.zip"))
    assert str(copy) not in (paths.raw("ptb_xl") / "manifest.json").read_text()
    found = read_json(paths.probe("random", "ptb_xl_super"))
    assert 0 <= found["results"]["1.0"]["pooled"]["mean"] <= 1
    assert read_json(paths.shards("ptb_xl") / "manifest.json")["records"] == 240
