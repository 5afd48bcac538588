"""`cgdmer fit` on recordings that have two names: equal signals are of one patient, whatever the table says."""

from pathlib import Path

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.probing import label_probe_io
from cgdmer.signals import LEADS

N = 44
ARRAYS = ["--fs", str(example.FS), "--unit", "mV", "--leads", ",".join(LEADS)]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(N):
        for name in ("first", "second"):
            np.save(f"in/{name}{number:02}.npy", example.millivolt(number) * (1.6 if number % 2 else 1.0))


def fit(labels, header):
    """Fit a table in which each name has a patient of its own, or none if the header lacks that column."""
    lines = [header]
    for number in range(N):
        for name in (f"first{number:02}", f"second{number:02}"):
            lines.append(f"{name},{f'of {name},' if 'patient' in header else ''}{labels[number]}")
    Path("labels.csv").write_text("\n".join(lines))
    return cli.main(["--quiet", "fit", "labels.csv", "in", *ARRAYS, "--model", str(example.model()), "-o", "my.probe"])


@pytest.mark.parametrize("header", ["recording,tall", "recording,patient,tall"])
def test_they_count_as_one_patient_and_are_counted(header, capsys):
    assert fit(np.arange(N) % 2, header) == 0
    card = label_probe_io.load(Path("my.probe")).card
    assert (card.recordings, card.patients, card.labels["tall"].patients) == (2 * N, N, N)
    said = "ecordings identical to an earlier one, with which they count as one patient: 44\n"
    assert f"\nr{said}" in capsys.readouterr().out
    assert f"\n- R{said}" in Path("my.probe/README.md").read_text()


def test_random_labels_are_not_fitted_through_the_copy_in_another_fold(capsys):
    assert fit(np.random.default_rng(2).integers(2, size=N), "recording,noise") == 3
    assert "noise: the features do not tell it apart" in capsys.readouterr().err
