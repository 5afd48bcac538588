"""The numbers of docs/own_recordings.md: from a folder to a calibrated probe and pages, and probabilities of PTB-XL."""

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import cgdmer
from cgdmer import cli, settings
from cgdmer.encoders import cgdmer_base
from cgdmer.external import benchmarks
from cgdmer.probing import label_probe_io, linear_probe_io
from cgdmer.sharing import about

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs/own_recordings.md").read_text()
EXAMPLE = PAGE.partition("## A probe on your own labels")[2].partition("\n## ")[0]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_commands_print_the_numbers_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(re.search(r"```python\n(.*?)```", EXAMPLE, re.S)[1], "own_recordings.md", "exec"), {})
    block = re.search(r"```\n(cgdmer fit .*?)```", EXAMPLE, re.S)[1]
    commands = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    assert {words[0] for words in commands} == {"fit", "score", "report"}
    for words in commands:
        assert cli.main(["--quiet", *words]) in (0, 6), words  # 6: a label with too few patients is left out
    printed = capsys.readouterr().out
    for label, recordings, yes, auroc in re.findall(
        r"^\| (\w+) \| (\d+) \| \d+ \| (\d+) \|[^|]*\| ([\d.]+) ", EXAMPLE, re.M
    ):
        row = next(line.split() for line in printed.splitlines() if line.split()[:1] == [label])
        assert (row[1], row[3]) == (recordings, yes)
        assert float(row[6]) == pytest.approx(float(auroc), abs=0.005)
    rows = [line.split() for line in printed.splitlines() if line.split()[:2] == ["MI", "400"]]
    stated = re.search(r"For MI the AUROC was ([\d.]+),.*? and ([\d.]+) \(", EXAMPLE, re.S).groups()
    assert [float(row[6]) for row in rows] == pytest.approx([float(one) for one in stated], abs=0.005)
    probabilities = pl.read_csv("scores.csv")["probe/my/AF"]
    prevalence = label_probe_io.load(Path("my.probe")).card.labels["AF"].prevalence
    assert probabilities.mean() < prevalence, "shifted to the prevalence of 2 %"
    assert len(list(Path("pages").glob("**/*.html"))) == 400 + 1


SHARES = re.compile(
    r"Of (\d+) records of PTB-XL.*?gives (\d+) % of the (\d+) normal.*?"
    r"and (\d+) % of the others; but (\d+) % of the (\d+) infarctions",
    re.S,
)


def percent(of: np.ndarray) -> int:
    return round(100 * of.mean())


@pytest.mark.long
@pytest.mark.real
def test_the_shipped_probe_gives_real_recordings_the_probabilities_of_the_page(real, tmp_path):
    encoder, every = cgdmer.load_encoder(), settings.load(PROJECT / "params.yaml")
    ptb_xl = benchmarks.read("ptb_xl", benchmarks.copies("ptb_xl", real), every, encoder.form, tmp_path)
    labels = ptb_xl.tasks["ptb_xl_super"]
    of, has = labels.members, dict(zip(labels.classes, labels.matrix.T == 1, strict=True))
    normal, infarct = has["NORM"][of], has["MI"][of]
    features = encoder.encode(ptb_xl.signals[of].astype(np.float32) / 1000, valid=ptb_xl.valid[of])
    fitted = linear_probe_io.load(cgdmer_base.FOLDER / about.PROBES / f"ptb_xl_super{linear_probe_io.SUFFIX}")
    likely = dict(zip(fitted.classes, fitted.probabilities(features, "pooled").T >= 0.5, strict=True))
    shares = [percent(likely["NORM"][normal]), percent(likely["NORM"][~normal]), percent(~likely["MI"][infarct])]
    stated = [int(number) for number in SHARES.search(PAGE).groups()]
    assert [stated[0], stated[2], stated[5]] == [of.sum(), normal.sum(), infarct.sum()]
    assert [stated[1], stated[3], stated[4]] == pytest.approx(shares, abs=1)
