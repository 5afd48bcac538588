"""The commands for own recordings: their end by a signal, the origin of scores, the printed table, and tall waves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer import cli, paths
from cgdmer.commands import provenance
from cgdmer.commands.findings import Findings
from cgdmer.files import write_json
from cgdmer.signals import LEADS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_file_behind(tmp_path, number):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": str(ROOT), "CGDMER_EXECUTOR": "processes"}
    words = ["embed", "-", "--model", str(example.model()), "-o", "out.csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cgdmer", *words],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 120
        while not (list(tmp_path.glob(".out.*")) and list(scratch.glob("cgdmer-*/weights*"))):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    finally:
        process.kill()
        process.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    assert list(scratch.glob("cgdmer-*")) == []


@pytest.fixture
def project(tmp_path):
    """A project with a model that was pretrained on one corpus, and a probe of another."""
    model = tmp_path / paths.MODEL
    write_json(model / "config.json", {"facts": {"pool": ["mimic_iv_ecg"]}})

    def acquired(source: str, way: str) -> None:
        write_json(tmp_path / paths.raw(source) / "manifest.json", {"way": way})

    return model, tmp_path / paths.fitted_probe("cgdmer", "ptb_xl_super"), acquired


def test_the_origin_comes_from_the_project_of_the_file(project, caplog):
    model, probe, acquired = project
    assert provenance.of_model(str(model)) == provenance.UNKNOWN
    acquired("mimic_iv_ecg", "simulate")
    acquired("ptb_xl", "local")
    assert provenance.of_model(str(model)) == provenance.SIMULATED
    assert provenance.of_probe(probe, "ptb_xl_super") == provenance.REAL
    assert provenance.of_probe(probe, "other") == provenance.UNKNOWN
    assert provenance.of_model("models:/x@champion") == provenance.UNKNOWN
    provenance.Provenance("real", {"ptb_xl_super": "real"}).warn()
    assert caplog.text == ""
    provenance.Provenance("simulated", {"ptb_xl_super": "simulated", "csn": "real"}).warn()
    assert "the encoder and the probe of ptb_xl_super saw SIMULATED recordings only" in caplog.text
    (model / "config.json").write_text("[]")
    assert provenance.of_model(str(model)) == provenance.UNKNOWN


def test_a_score_says_what_it_was_fitted_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    example.wfdb(tmp_path / "in", "r0")
    monkeypatch.setattr(provenance, "of_model", lambda _: provenance.SIMULATED)
    assert cli.main(["score", "in", "--classes", "NORM", "-o", "out.csv", "--model", str(example.model())]) == 0
    said = capsys.readouterr()
    assert json.loads(Path("out.csv.cgdmer.json").read_text())["fitted_on"] == {"encoder": "simulated", "probes": {}}
    assert said.out.splitlines()[0].startswith("recording")
    assert "in/r0.hea" in said.out


def test_the_table_shows_the_likeliest_classes_by_name():
    findings = Findings(["probe/ptb_xl_super/NORM", "probe/ptb_xl_super/MI", "probe/ptb_xl_super/CD", "probe/x/own"])
    columns = {
        "id": ["a/" + "x" * 60, "b\x1b[2J"], "quality": ["ok", "flat V3"],
        "probe/ptb_xl_super/NORM": np.array([0.9, 0.1]), "probe/ptb_xl_super/MI": np.array([0.05, 0.2]),
        "probe/ptb_xl_super/CD": np.array([0.01, 0.3]), "probe/x/own": np.array([0.0, 0.8]),
    }  # fmt: skip
    for _ in range(8):
        findings.add(columns)
    lines = str(findings).splitlines()
    assert lines[1].split()[-3:] == ["(NORM)", "0.90", "ok"]
    assert [line.split()[-1] for line in lines[2:4]] == ["0.05", "0.01"]
    assert lines[4].split() == ["b?[2J", "own", "0.80", "flat", "V3"]
    assert "\x1b" not in str(findings)
    assert lines[-1] == "and 6 more in the output"
    assert len(lines) == 1 + 10 * 3 + 1


def test_of_windows_the_table_shows_mean_and_largest_with_its_time():
    findings = Findings(["probe/ptb_xl_sub/LAFB/LPFB", "probe/ptb_xl_super/MI"])
    columns = {"id": ["holter.edf"], "quality": ["3 of 9 windows are doubtful, most often: " + "x" * 40]}
    for name, mean, largest, at in [("ptb_xl_sub/LAFB/LPFB", 0.1, 0.9, 11_560), ("ptb_xl_super/MI", 0.2, 0.3, 0)]:
        columns |= {
            f"probe/{name}{end}": np.array([value]) for end, value in [("", mean), ("/max", largest), ("/max_at", at)]
        }
    findings.add(columns)
    lines = str(findings).splitlines()
    assert lines[0].split() == ["recording", "likeliest", "classes", "mean", "largest", "quality"]
    assert "LAFB/LPFB" in lines[1]
    assert "0.10  0.90 at 3:12:40" in lines[1]
    assert lines[1].endswith("...")
    assert lines[2].split()[-4:] == ["0.20", "0.30", "at", "0:00:00"]


def test_tall_waves_stay_on_the_paper_and_taller_ones_are_cut_with_a_note(tmp_path):
    signal_ = example.millivolt(1, 10.0)
    signal_[9] = np.where(np.arange(5000) % 500 < 20, 3.2, 0.0)
    signal_[1, ::400] = -4.0
    np.save(tmp_path / "tall.npy", signal_)
    words = ["--fs", "500", "--unit", "mV", "--leads", ",".join(LEADS)]

    def drawn(name: str) -> tuple[list[float], list[float], str]:
        assert cli.main(["plot", str(tmp_path / f"{name}.npy"), "-o", str(tmp_path / f"{name}.svg"), *words]) == 0
        text = (tmp_path / f"{name}.svg").read_text()
        box = [float(number) for number in re.search(r'viewBox="([^"]+)"', text)[1].split()]
        traces = re.findall(r'<path d="([^"]+)" class="trace"', text) or re.findall(r'd="(M[^"]+)" class="trace"', text)
        heights = [float(y) for trace in traces for y in re.findall(r"[ML]\S+ (-?[\d.]+)", trace)]
        return box, heights, text

    box, heights, text = drawn("tall")
    assert min(heights) < 0 <= min(heights) - box[1]
    assert max(heights) < box[1] + box[3] - 5
    assert "are cut" not in text
    signal_[9] *= 2.3
    np.save(tmp_path / "taller.npy", signal_)
    assert "waves above 6 mV are cut" in drawn("taller")[2]
