"""Sliding windows of `embed`, `score` and `measure`: a row per window, or one per recording that summarises them."""

import json
import os
import zipfile
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from support import example_recordings as example

from cgdmer import cli, embeddings
from cgdmer.recordings import batches
from cgdmer.signals import LEADS


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Three recordings, of 40, 5 and 40 s, the last with 20 s without signal; jobs of three windows each."""
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.setattr(batches, "BATCH", 3)
    monkeypatch.chdir(tmp_path)
    array("a", example.millivolt(0, 40.0))
    example.wfdb(tmp_path / "in", "b", seed=1)
    signal = example.millivolt(2, 40.0)
    signal[:, 10_000:] = 0
    array("c#1", signal)


def sheet(path):
    """Return the cells of the first sheet."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as archive:
        rows = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml")).iter(f"{space}row")
    return [[float(number.text) if (number := cell.find(f"{space}v")) is not None else "".join(cell.itertext())
             for cell in row] for row in rows]  # fmt: skip


def array(name, signal):
    example.npy(example.Path("in"), name)
    np.save(f"in/{name}.npy", signal)


def run(command, *words):
    model = [] if command == "measure" else ["--model", str(example.model())]
    return cli.main(["--quiet", command, "in", *map(str, words), *model])


def test_embeddings_are_means_of_those_of_windows():
    assert run("embed", "--every", 4, "--windows", "-o", "each.parquet") == 6
    each = pl.read_parquet("each.parquet")
    assert each["id"].to_list() == [
        *(f"in/a.npy#{start}" for start in range(0, 40, 4)),
        "in/b.hea#0",
        *(f"in/c#1.npy#{start}" for start in range(0, 20, 4)),
    ]
    assert each["start"].to_list() == [*range(0, 40, 4), 0, *range(0, 20, 4)]
    rejects = pl.read_csv("each.rejects.csv")
    assert rejects["path"].to_list() == [f"in/c#1.npy#{start}" for start in range(20, 40, 4)]
    assert run("embed", "--every", 4, "-o", "whole.parquet") == 0
    whole = pl.read_parquet("whole.parquet")
    assert whole["id"].to_list() == ["in/a.npy", "in/b.hea", "in/c#1.npy"]
    assert whole["seconds"].to_list() == [40, 4, 20]
    assert whole["windows"].to_list() == [10, 1, 5]
    assert whole["windows_unused"].to_list() == [0, 0, 5]
    for name in ("shared", "specific", "pooled", "aligned"):
        rows = each[name].to_numpy()
        np.testing.assert_allclose(whole[name].to_numpy(), [rows[:10].mean(0), rows[10], rows[11:].mean(0)], atol=1e-6)


def test_a_window_is_what_start_and_seconds_choose():
    assert run("embed", "--every", 8, "--seconds", 3, "--start", 1.5, "--windows", "-o", "each") == 6
    each = embeddings.read(example.Path("each"))
    assert each.ids[:3] == ["in/a.npy#1.5", "in/a.npy#9.5", "in/a.npy#17.5"]
    assert run("embed", "--seconds", 3, "--start", 9.5, "-o", "one") == 6, "b ends before"
    one = embeddings.read(example.Path("one"))
    np.testing.assert_allclose(each.features["pooled"][1], one.features["pooled"][0], atol=1e-6)


def test_scores_are_the_mean_and_the_maximum_with_its_time():
    words = ["--classes", "AFIB,NORM", "--every", 4]
    assert run("score", *words, "--windows", "-o", "each.parquet") == 6
    assert run("score", *words, "-o", "whole.parquet") == 0
    each, whole = pl.read_parquet("each.parquet"), pl.read_parquet("whole.parquet")
    scores = each["zero_shot/AFIB"].to_numpy()[:10]
    assert whole["zero_shot/AFIB"][0] == pytest.approx(scores.mean(), abs=1e-6)
    assert whole["zero_shot/AFIB/max"][0] == pytest.approx(scores.max(), abs=1e-6)
    assert whole["zero_shot/AFIB/max_at"][0] == 4 * scores.argmax()
    meta = json.loads(pl.read_parquet_metadata("whole.parquet")["cgdmer"])
    assert (meta["every"], meta["row"]) == (4.0, "recording")


def test_a_workbook_of_scores_holds_numbers_below_titles(tmp_path):
    words = ["--classes", "AFIB", "--every", 4]
    assert run("score", *words, "-o", "s.xlsx") == run("score", *words, "-o", "s.csv") == 0
    head, first, *_ = sheet("s.xlsx")
    assert head[6] == "atrial fibrillation (AFIB): cosine with the prompt"
    assert first[6:9] == [pl.read_csv("s.csv")[name][0] for name in pl.read_csv("s.csv").columns[6:9]]


def test_measurements_are_medians_and_the_rate_has_extremes():
    assert run("measure", "--every", 5, "--windows", "-o", "each.csv") == 6
    assert run("measure", "--every", 5, "-o", "whole.csv") == 0
    each, whole = (pl.read_csv(f"{name}.csv", infer_schema_length=None) for name in ("each", "whole"))
    rates = each.filter(pl.col("id").str.starts_with("in/a.npy"))["heart_rate"]
    assert whole["heart_rate"][0] == pytest.approx(rates.median(), abs=1e-3)
    assert whole["heart_rate/min"][0] == rates.min()
    assert whole["heart_rate/max_at"][0] == 5 * rates.arg_max()


def test_an_axis_near_180_is_not_averaged_to_zero():
    first, second = example.millivolt(0, 10.0), example.millivolt(0, 10.0)
    for signal, sign in ((first, 1), (second, -1)):
        chest = signal[6] / np.abs(signal[6]).max()
        lead, foot = -chest, sign * 0.05 * chest
        limbs = [lead, foot + lead / 2, foot - lead / 2, -0.75 * lead - foot / 2, 0.75 * lead - foot / 2, foot]
        signal[:6] = limbs
    array("a", np.concatenate([first, second], axis=1))
    assert run("measure", "--every", 10, "--windows", "-o", "each.csv") == 6
    assert run("measure", "--every", 10, "-o", "whole.csv") == 0
    each, whole = (pl.read_csv(f"{name}.csv", infer_schema_length=None) for name in ("each", "whole"))
    axes = each.filter(pl.col("id").str.starts_with("in/a.npy"))["qrs_axis"]
    assert axes.min() < -170
    assert axes.max() > 170
    assert abs(whole["qrs_axis"][0]) > 170


def test_missing_leads_are_those_of_all_windows():
    """Where lead II is flat, four others cannot be derived from it; other windows lack fewer leads."""
    signal = example.millivolt(0, 12.0)[[0, 1, 6]]
    signal[1, :2000] = 0
    array("a", signal)
    example.Path("in/a.json").write_text(json.dumps({"fs": 500, "unit": "mV", "leads": ["I", "II", "V1"]}))
    assert run("measure", "--every", 4, "--seconds", 4, "--windows", "-o", "each.parquet") == 6
    first, _, last = pl.read_parquet("each.parquet")["missing"].to_list()[:3]
    assert set(last) < set(first)
    for command in ("measure", "embed"):
        assert run(command, "--every", 4, "--seconds", 4, "-o", f"{command}.parquet") == 0
        assert pl.read_parquet(f"{command}.parquet")["missing"].to_list()[0] == first


def test_a_file_is_not_compared_with_means_over_windows(capsys):
    assert run("embed", "--every", 4, "-o", "whole.parquet") == run("embed", "-o", "first.parquet") == 0
    query = ["--quiet", "similar", "in/b.hea", "--model", str(example.model()), "--in"]
    assert cli.main([*query, "first.parquet"]) == 0
    os.rename("in/b.hea", "other.hea")
    os.rename("in/r1.dat", "r1.dat")
    assert cli.main(["--quiet", "similar", "other.hea", "--in", "whole.parquet"]) == 3
    assert "means over windows" in capsys.readouterr().err


def test_a_recording_without_a_usable_window_is_rejected_once():
    array("a", np.zeros((len(LEADS), 20_000)))
    assert run("embed", "--every", 4, "-o", "whole.csv") == 6
    rejects = pl.read_csv("whole.rejects.csv")
    assert rejects["path"].to_list() == ["in/a.npy"]
    assert rejects["reason"][0].startswith("none of its 10 windows could be used; 10: 12 flat leads")


def test_doubts_of_windows_are_counted():
    signal = example.millivolt(0, 40.0)
    signal[6, 2000:4000] = 0
    array("a", signal)
    assert run("embed", "--every", 4, "-o", "whole.csv") == 0
    assert pl.read_csv("whole.csv")["quality"][0] == "1 of 10 windows are doubtful, most often: flat V1"


def test_workers_and_one_process_write_the_same_bytes(monkeypatch):
    assert run("measure", "--every", 5, "-o", "one.csv") == 0
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    assert run("measure", "--every", 5, "-o", "two.csv") == 0
    assert example.Path("one.csv").read_bytes() == example.Path("two.csv").read_bytes()


@pytest.mark.parametrize("words", [["--every", 0], ["--every", -1], ["--every", "nan"], ["--every", "inf"],
                                   ["--every", 0.5], ["--windows"], ["--every", 4, "--start", -1]])  # fmt: skip
def test_impossible_windows_are_refused_before_anything_is_read(words, capsys):
    for command in ("embed", "score", "measure"):
        assert run(command, *words, "-o", "x.csv") == 2
        assert "allowed" in capsys.readouterr().err


def test_a_start_beyond_the_end_says_where_it_ends(capsys):
    assert run("embed", "--every", 4, "--start", 100, "-o", "x.csv") == 3
    assert "it ends at 40 s, before --start 100" in capsys.readouterr().err
