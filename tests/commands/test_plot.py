"""`cgdmer plot`: true to scale, every lead in its place, as SVG and as PNG."""

import re
import struct
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer import cli

SVG = "{http://www.w3.org/2000/svg}"


def traces(path):
    """Return the paths of traces after the four calibration pulses, as arrays of (x, y) mm."""
    root = ET.parse(path).getroot()
    paths = [node.get("d") for node in root.iter(f"{SVG}path") if node.get("class") == "trace"][4:]
    return root, [np.array(re.findall(r"[ML](\S+) ([\d.-]+)", d), float) for d in paths]


def test_it_is_true_to_scale(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = example.wfdb(tmp_path, "a record", seconds=10.0)
    assert cli.main(["plot", str(path)]) == 0
    root, strips = traces(tmp_path / "a record.svg")
    assert len(strips) == 13
    assert root.get("width").endswith("mm")
    assert float(root.get("width")[:-2]) == float(root.get("viewBox").split()[2])
    strip = strips[-1]
    assert np.ptp(strip[:, 0]) == pytest.approx(25 * 10.0, abs=0.1), "25 mm a second"
    assert np.ptp(strip[:, 1]) == pytest.approx(10 * np.ptp(example.millivolt(0, 10.0)[1]), abs=0.03), (
        "10 mm a millivolt"
    )
    names = [node.text for node in root.iter(f"{SVG}text")]
    assert names[:3] == ["I", "II", "III"]
    assert "25 mm/s · 10 mm/mV" in names[-1]


def test_absent_leads_gaps_and_hostile_names_are_drawn_safely(tmp_path):
    signal = example.millivolt()[:2]
    signal[1, 500:900] = np.nan
    np.save(tmp_path / "<b>&.npy", signal)
    out = tmp_path / "out.svg"
    words = ["--fs", "500", "--unit", "mV", "--leads", "I,II"]
    assert cli.main(["plot", str(tmp_path / "<b>&.npy"), "-o", str(out), *words]) == 0
    root, strips = traces(out)
    assert len(strips) == 3
    assert "V3 not recorded" in [node.text for node in root.iter(f"{SVG}text")]
    assert root.find(f"{SVG}title").text.startswith("<b>&.npy")
    assert [node.get("d").count("M") for node in root.iter(f"{SVG}path") if node.get("class") == "trace"][-1] == 2


def test_a_short_recording_is_shown_whole_in_each_column_and_leaves_room_for_the_caption(tmp_path):
    path = example.wfdb(tmp_path, "short", seconds=1.0)
    out = tmp_path / "out.svg"
    assert cli.main(["plot", str(path), "-o", str(out)]) == 0
    root, strips = traces(out)
    assert [np.ptp(strip[:, 0]) for strip in strips] == pytest.approx([25.0] * 13, abs=0.1)
    assert sorted({strip[0, 0] for strip in strips}) == pytest.approx([12.0, 37.0, 62.0, 87.0])
    assert float(root.get("width")[:-2]) == 120


@pytest.mark.parametrize(("leads", "below"), [(["aVR"], "aVR"), (["V1", "I"], "I"), (["V1", "II"], "II")])
def test_a_recorded_lead_is_shown_throughout(leads, below, tmp_path):
    np.save(tmp_path / "few.npy", example.millivolt(seconds=10.0)[: len(leads)])
    out = tmp_path / "out.svg"
    words = ["--fs", "500", "--unit", "mV", "--leads", ",".join(leads)]
    assert cli.main(["plot", str(tmp_path / "few.npy"), "-o", str(out), *words]) == 0
    root, strips = traces(out)
    assert np.ptp(strips[-1][:, 0]) == pytest.approx(250.0, abs=0.1)
    assert [node.text for node in root.iter(f"{SVG}text")][-2] == below


def test_png_has_the_size_of_the_paper(tmp_path):
    pytest.importorskip("resvg_py")
    path = example.wfdb(tmp_path, "r0", seconds=10.0)
    assert cli.main(["plot", str(path), "-o", str(tmp_path / "out.png")]) == 0
    data = (tmp_path / "out.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">2I", data[16:24])
    assert abs(width / 200 * 25.4 - 270) < 0.5
    assert height > 900


def test_other_suffixes_and_broken_files_are_explained(tmp_path, capsys):
    path = example.wfdb(tmp_path, "r0")
    assert cli.main(["plot", str(path), "-o", "a.pdf"]) == 2
    path.write_text("")
    assert cli.main(["plot", str(path), "-o", str(tmp_path / "a.svg")]) == 3
    assert "the header is empty" in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()
