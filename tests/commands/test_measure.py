"""`cgdmer measure`: one row per recording, reasons for what cannot be read, empty cells where evidence is missing."""

import json
import zipfile
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands.measure import MEDIANS, masked
from cgdmer.delineation.measurements import NAMES
from cgdmer.signals import LEADS
from cgdmer.simulator import draw_cases, simulate
from cgdmer.waveforms import record_bytes


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)


def run(*words):
    return cli.main(["--quiet", "measure", *map(str, words)])


def simulated(folder, count=3, seed=7, fs=500):
    """Write simulated WFDB records."""
    folder.mkdir()
    for number in range(count):
        signal = simulate(draw_cases(seed, number, 1), seed, number, fs=fs)[0]
        for name, content in record_bytes(f"r{number}", signal, fs, LEADS).items():
            (folder / name).write_bytes(content)
    return folder


def array(folder, name, signal, leads=LEADS, fs=500):
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{name}.npy", signal)
    (folder / f"{name}.json").write_text(json.dumps({"fs": fs, "unit": "mV", "leads": list(leads)}))


def test_every_format_holds_the_same_numbers(tmp_path):
    simulated(tmp_path / "in")
    for name in ("m.csv", "m.parquet", "m.xlsx"):
        assert run("in", "-o", name) == 0
    text, binary = pl.read_csv("m.csv"), pl.read_parquet("m.parquet")
    assert binary.columns == ["id", "seconds", "missing", "quality", *NAMES]
    assert text["id"].to_list() == binary["id"].to_list() == [f"in/r{number}.hea" for number in range(3)]
    for name in NAMES:
        assert binary.schema[name] == pl.Float64
        np.testing.assert_allclose(text[name].cast(pl.Float64).to_numpy(), binary[name].to_numpy())
    assert [row[0] for row in sheet("m.xlsx")] == ["recording", *text["id"]]
    assert sheet("m.xlsx")[1][4] == text["beats"][0]
    meta = json.loads(pq.read_schema("m.parquet").metadata[b"cgdmer"])
    assert meta["signal"]["fs"] == 500
    assert meta["measurements"] == list(NAMES)


def sheet(path):
    """Return the cells of the first sheet."""
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as archive:
        rows = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml")).iterfind(".//m:row", space)
        return [[cell_of(cell, space) for cell in row.iterfind("m:c", space)] for row in rows]


def cell_of(cell, space):
    text, number = cell.find(".//m:t", space), cell.find("m:v", space)
    return text.text if text is not None else None if number is None else float(number.text)


def test_a_second_run_writes_the_same_bytes(tmp_path):
    simulated(tmp_path / "in", count=2)
    for suffix in ("csv", "parquet", "xlsx"):
        assert run("in", "-o", f"a.{suffix}") == run("in", "-o", f"b.{suffix}") == 0
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("fs", [250, 1000])
def test_the_sampling_rate_hardly_matters(tmp_path, fs):
    simulated(tmp_path / "in", count=3)
    simulated(tmp_path / "other", count=3, fs=fs)
    assert run("in", "-o", "in.parquet") == run("other", "-o", "other.parquet") == 0
    one, other = pl.read_parquet("in.parquet"), pl.read_parquet("other.parquet")
    assert (one["heart_rate"] - other["heart_rate"]).abs().max() < 1.5
    for name in ("qrs_ms", "qt_ms"):
        assert (one[name] - other[name]).abs().median() < 12


def test_hostile_recordings_give_empty_cells_or_a_reason(tmp_path):
    draw, folder = np.random.default_rng(0), tmp_path / "in"
    good = simulate(draw_cases(7, 0, 1), 7, 0)[0] / 1000
    flat = good.copy()
    flat[6:9] = 0
    gap = good.copy()
    gap[:, 1000:2000] = np.nan
    array(folder, "a good", good)
    array(folder, "b flat leads", flat)
    array(folder, "c one lead", good[1:2], ["II"])
    array(folder, "d noise", draw.normal(0, 0.3, (12, 5000)))
    array(folder, "e short", good[:, :250])
    array(folder, "f gap", gap)
    array(folder, "g microvolts", good * 1000)
    array(folder, "h one second", good[:, :600])
    assert run("in", "-o", "m.parquet") == 6
    table = {row["id"].removeprefix("in/")[0]: row for row in pl.read_parquet("m.parquet").iter_rows(named=True)}
    rejected = {row[0].removeprefix("in/")[0]: row[1] for row in pl.read_csv("m.rejects.csv").iter_rows()}
    assert set(table) == set("abcdh")
    assert set(rejected) == set("efg")
    assert table["a"]["heart_rate"] == pytest.approx(table["b"]["heart_rate"], abs=0.5)
    assert table["b"]["r_V1_mv"] is table["b"]["sokolow_lyon_mv"] is None
    assert table["b"]["quality"] == "flat V1 V2 V3"
    assert 60 < table["c"]["qrs_ms"] < 130
    assert table["c"]["qrs_axis"] is table["c"]["r_V5_mv"] is None
    assert table["c"]["r_II_mv"] == pytest.approx(table["a"]["r_II_mv"], rel=0.1)
    assert table["d"]["beats"] == 0
    assert {name for name in NAMES if table["d"][name] is not None} == {"beats", "other_beats"}
    assert table["h"]["heart_rate"] is None


def test_start_and_seconds_choose_the_part(tmp_path):
    signal = simulate(draw_cases(7, 1, 1), 7, 1)[0] / 1000
    array(tmp_path / "in", "whole", np.tile(signal, (1, 2)))
    array(tmp_path / "in", "part", signal[:, 1000:4000])
    assert run("in/whole.npy", "--start", 2, "--seconds", 6, "-o", "a.parquet") == 0
    assert run("in/part.npy", "-o", "b.parquet") == 0
    one, other = pl.read_parquet("a.parquet"), pl.read_parquet("b.parquet")
    assert one["seconds"].to_list() == [6.0]
    assert one.drop("id").equals(other.drop("id"))
    assert run("in/whole.npy", "--seconds", 20, "-o", "c.parquet") == 0
    assert pl.read_parquet("c.parquet")["seconds"].to_list() == [20.0]


@pytest.mark.parametrize("words", [["--seconds", 1], ["--seconds", 61], ["--seconds", "nan"], ["-o", "m.json"],
                                   ["-o", ""], ["--start", -1], ["-o", "folder"]])  # fmt: skip
def test_impossible_options_are_refused_before_anything_is_read(tmp_path, words, capsys):
    simulated(tmp_path / "in", count=1)
    assert run("in", *words) == 2
    assert "allowed" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_nothing_is_written_if_nothing_can_be_read(tmp_path, capsys):
    array(tmp_path / "in", "short", np.zeros((12, 100)))
    assert run("in") == 3
    assert run("nowhere") == 3
    assert run("in/short.json") == 3
    assert "nothing is written" in capsys.readouterr().err
    assert not (tmp_path / "measurements.csv").exists()


def test_an_edited_workbook_is_the_users(tmp_path, capsys):
    simulated(tmp_path / "in", count=1)
    assert run("in", "-o", "m.xlsx") == run("in", "-o", "m.xlsx") == 0
    with zipfile.ZipFile("m.xlsx", "a") as archive:
        archive.comment = b""
    assert run("in", "-o", "m.xlsx") == 2
    assert "did not write" in capsys.readouterr().err


def test_workers_write_the_same_table(tmp_path, monkeypatch):
    for number in range(2):
        example.wfdb(tmp_path / "in", f"r{number}", seed=number)
    assert run("in", "-o", "a.csv") == 0
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    assert run("in", "-o", "b.csv") == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_missing_values_are_masked():
    column = masked([1.23456, None, float("inf")])
    assert column.tolist() == [1.2346, None, None]


@pytest.mark.parametrize(
    ("angles", "median"),
    [
        ([176, -177], 179.5), ([-177, 176, 178], 178), ([-170, -172], -171), ([10.0001, 10.0002, -20], 10.0001),
        ([179, -179], 180), ([-179.9, 179.7], 179.9), ([-179.7, 179.9], -179.9), ([-100, 100, 120], 120), ([-180], 180),
        ([5], 5),
    ],
)  # fmt: skip
def test_the_median_of_axes_goes_round_the_circle(angles, median):
    for turned in (np.array(angles, float), np.array(angles[::-1], float)):
        assert MEDIANS.centre("qrs_axis", turned) == pytest.approx(median, abs=1e-4)


def test_the_median_of_axes_that_do_not_pass_180_is_the_plain_one_and_opposite_axes_have_none():
    draw = np.random.default_rng(0)
    for _ in range(100):
        angles = draw.uniform(-60, 100, draw.integers(1, 9)).round(4)
        assert MEDIANS.centre("t_axis", angles) == MEDIANS.centre("qt_ms", angles)
    assert np.isnan(MEDIANS.centre("p_axis", np.array([30.0, -150.0])))
