"""Names in probes of `cgdmer fit`: labels in any order, and a probe that is called like a task."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.probing import label_probe_io
from cgdmer.signals import LEADS

N = 44
"""Recordings; every second one has tall waves."""
ARRAYS = ["--fs", str(example.FS), "--unit", "mV", "--leads", ",".join(LEADS), "--model", str(example.model())]


@pytest.fixture(autouse=True)
def fitted(tmp_path, monkeypatch):
    """Fit `my.probe` on a table whose labels are not in alphabetical order."""
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    lines = ["recording,tall,low"]
    for number in range(N):
        tall = number % 2
        np.save(f"in/r{number:02}.npy", example.millivolt(number) * (1.6 if tall else 1.0) * (1 + 0.1 * (number % 3)))
        lines.append(f"r{number:02},{tall},{1 - tall if number else ''}")
    Path("labels.csv").write_text("\n".join(lines))
    assert cli.main(["--quiet", "fit", "labels.csv", "in", *ARRAYS, "-o", "my.probe"]) == 0


def score(*words):
    return cli.main(["--quiet", "score", "in", *ARRAYS, *words, "-o", "out.csv"])


def test_labels_keep_the_order_of_the_table_whatever_their_names():
    probe = label_probe_io.load(Path("my.probe"))
    assert probe.classes == ["tall", "low"]
    assert [one.recordings for one in probe.card.labels.values()] == [N, N - 1]
    assert score("--probe", "my.probe", "--percentiles", "--recalibrate", "low=0.5") == 0
    given = pl.read_csv("out.csv")
    assert given.columns[4:6] == ["probe/my/tall", "probe/my/low"]
    tall, low = (given[f"probe/my/{label}"].to_numpy() for label in ("tall", "low"))
    assert tall[1::2].mean() > 0.5 > tall[::2].mean()
    assert low[::2].mean() > 0.5 > low[1::2].mean()


def test_a_probe_that_is_called_like_a_scored_task_is_refused_and_replaces_no_column(capsys):
    shutil.copy("my.probe/layer.probe.safetensors", "x.probe.safetensors")  # its task is called `my`
    assert score("--probe", "x.probe.safetensors", "--probe", "my.probe") == 2
    assert "a probe of `cgdmer fit` has the name of another probe's task, my" in capsys.readouterr().err
    assert not Path("out.csv").exists()
    shutil.move("my.probe", "own.probe")
    assert score("--probe", "x.probe.safetensors", "--probe", "own.probe", "--classes", "NORM") == 0
    columns = [f"probe/{name}/{label}" for name in ("my", "own") for label in ("tall", "low")]
    assert pl.read_csv("out.csv").columns[5:] == columns
