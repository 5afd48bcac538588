"""The bench for ideas from its command to its lines, on tiny corpora, a tiny model and a few steps."""

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.quality import __main__ as command
from benchmarks.quality import scoring
from benchmarks.quality.variants import Budget
from cgdmer import demo_corpora, settings

ROOT = Path(__file__).resolve().parents[2]
MICRO = settings.read(ROOT / "tests/support/params.micro.yaml")
PROBE = {"probe": {"fractions": [0.01, 0.1, 1.0], "seeds": 1, "C": [0.01, 1.0], "bootstrap": 20}}
SMALL = {
    "pretraining_set": {"simulated": {"population": "textbook"}},
    "model": MICRO["model"],
    "train": {"batch": 32},
    **PROBE,
}
CORPORA = {"matrix": {"benchmarks": ["ptb_xl"]}, "corpora": {"ptb_xl": {"records": 240}}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Work in a folder with tiny profiles, and with a copy of PTB-XL that stands for real recordings."""
    demo = settings.merge(settings.merge(settings.read(ROOT / "params/demo.yaml"), CORPORA), PROBE)
    encoder = settings.merge(settings.read(ROOT / "params/encoder.yaml"), SMALL)
    (tmp_path / "params").mkdir()
    for name, content in (("demo", demo), ("encoder", encoder)):
        (tmp_path / f"params/{name}.yaml").write_text(yaml.safe_dump(content))
    demo_corpora.write("ptb_xl", tmp_path / "real/ptb_xl.zip", settings.Corpus(records=60, seed=3))
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "real"))
    monkeypatch.setattr(command, "QUICK", Budget(passes=256, seeds=2, pool=64))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(monkeypatch, capsys, *variants: str) -> list[dict]:
    """Run the command and return its lines, without the seconds, which differ between runs."""
    monkeypatch.setattr("sys.argv", ["quality", "--quick", *variants])
    assert command.main() == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in printed]


@pytest.mark.long
def test_variants_are_trained_scored_and_compared_and_done_work_is_read_again(project, monkeypatch, capsys):
    base, other = lines(monkeypatch, capsys, "base", "mean_pooling")
    assert (base["variant"], base["pretrainings"], base["passes"]) == ("base", 2, 256)
    assert "differences" not in base
    assert other["minus"] == "base"
    disturbances = {"white noise 0.1 mV", "baseline wander 1 mV", "3 leads lost", "RA and LA exchanged"}
    assert set(other["differences"]) == {"simulated 0.01", "simulated 0.1", "simulated 1.0", "real", *disturbances}
    for line in (base, other):
        assert line["real"]["records"] > 30
        for mean, low, high in (*line["simulated"].values(), line["real"]["ptb_xl_super"]):
            assert 0 < mean < 1
            assert low <= mean <= high
        assert set(line["robustness"]) == disturbances
    assert base["simulated"] != other["simulated"]
    monkeypatch.setattr(scoring, "start", lambda *_: pytest.fail("an encoder was trained again"))
    monkeypatch.setattr(scoring, "_score_simulated", lambda *_: pytest.fail("an encoder was scored again"))
    assert lines(monkeypatch, capsys, "base", "mean_pooling") == [base, other]


def test_an_unknown_variant_ends_with_the_known_ones(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["quality", "mean_poolin"])
    assert command.main() == 2
    assert "mean_pooling" in capsys.readouterr().err
