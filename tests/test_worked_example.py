"""The worked example of docs/own_recordings.md: from a folder to a calibrated probe and pages, with its numbers."""

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from cgdmer import cli
from cgdmer.probing import label_probe_io

PAGE = (Path(__file__).resolve().parents[1] / "docs/own_recordings.md").read_text()
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
    probabilities = pl.read_csv("scores.csv")["probe/my/AF"]
    prevalence = label_probe_io.load(Path("my.probe")).card.labels["AF"].prevalence
    assert probabilities.mean() < prevalence, "shifted to the prevalence of 2 %"
    assert len(list(Path("pages").glob("**/*.html"))) == 400 + 1
