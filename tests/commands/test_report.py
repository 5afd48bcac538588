"""`cgdmer report`: pages of every recording, the same bytes each time, and never in place of files of others."""

import csv
import json
import os
import re
import zipfile

import numpy as np
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import examination, report_folder
from cgdmer.signals import LEADS
from cgdmer.viewer import pages

HOSTILE = "<img src=x onerror=alert(1)>\"'\u202e"


def run(*words):
    return cli.main(["--quiet", "report", *map(str, words)])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a folder with recordings in `in` and the pages that the shipped encoder gives in `pages`."""
    folder = tmp_path_factory.mktemp("report")
    for number in range(3):
        example.wfdb(folder / "in" / "a", f"record {number}", seed=number)
    example.npy(folder / "in", HOSTILE, seed=3)
    (folder / "in" / "bad.edf").write_bytes(b"not EDF")
    np.save(folder / "in" / "uv.npy", example.millivolt() * 1000)
    (folder / "in" / "uv.json").write_text(json.dumps({"fs": 500, "unit": "mV", "leads": list(LEADS)}))
    before = os.getcwd()
    os.chdir(folder)
    os.environ["CGDMER_EXECUTOR"] = "serial"
    try:
        assert run(folder / "in") == 6
    finally:
        os.chdir(before)
        del os.environ["CGDMER_EXECUTOR"]
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def one(tmp_path):
    example.wfdb(tmp_path / "in", "r", seed=1)
    return tmp_path / "in"


def small(*words):
    return run(*words, "--model", example.model())


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def texts(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_there_is_an_index_a_table_and_a_page_for_each_recording(written):
    files = texts(written / "pages")
    assert set(files) == {
        "index.html",
        "recordings.csv",
        "report.json",
        *(f"recordings/000{n}.html" for n in range(1, 5)),
    }
    for name in ("record 0.hea", "is not EDF", "probably the values are uV stated as mV", "normal ecg", "NORM", "QRS"):
        assert name in files["index.html"]
    page = files["recordings/0002.html"]
    for text in ("data:image/svg+xml,", "PTB-XL Super", "Sokolow-Lyon", "Most similar recordings", "record 1.hea"):
        assert text in page
    rows = rows_of(written / "pages" / "recordings.csv")
    assert [row["recording"] for row in rows][1:] == [f"a/record {number}.hea" for number in range(3)]
    assert 0 <= float(rows[0]["probe/ptb_xl_super/NORM"]) <= 1
    assert float(rows[1]["heart_rate"]) > 40


def test_no_page_names_a_folder_of_this_machine_or_holds_markup_of_a_name(written):
    for name, text in texts(written / "pages").items():
        assert str(written) not in text, name
        assert "/tmp" not in text, name
        if name.endswith(".html"):
            assert "<img src=x" not in text, name
            assert pages.NOTICE in text
            assert "SIMULATED" in text


def test_the_scores_are_those_of_the_command_score(written, tmp_path):
    assert cli.main(["--quiet", "score", str(written / "in" / "a"), "-o", "s.csv"]) == 0
    assert cli.main(["--quiet", "measure", str(written / "in" / "a"), "-o", "m.csv"]) == 0
    scores, measured = (rows_of(tmp_path / name) for name in ("s.csv", "m.csv"))
    rows = rows_of(written / "pages" / "recordings.csv")[1:]
    for row, score, values in zip(rows, scores, measured, strict=True):
        assert os.path.basename(row["recording"]) == os.path.basename(score["id"])
        for column in (name for name in score if name.startswith("probe/")):
            assert float(row[column]) == pytest.approx(float(score[column]), rel=1e-4, abs=1e-6)
        for column in ("qrs_ms", "heart_rate", "st_V2_mv"):
            assert float(row[column]) == pytest.approx(float(values[column]), rel=1e-3, abs=1e-4)


def test_a_second_run_writes_the_same_bytes_in_place_of_the_first(one, tmp_path):
    assert small("in") == 0
    first = texts(tmp_path / "pages")
    assert small("in") == small("in", "-o", "other") == 0
    assert texts(tmp_path / "pages") == texts(tmp_path / "other") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "other", "pages"]


def test_files_of_others_are_never_replaced_and_edited_pages_only_on_request(one, tmp_path, capsys):
    assert small("in") == 0
    (tmp_path / "pages" / "index.html").write_text("my notes")
    assert small("in") == 2
    assert "was changed" in capsys.readouterr().err
    assert (tmp_path / "pages" / "index.html").read_text() == "my notes"
    assert small("in", "--overwrite") == 0
    (tmp_path / "pages" / "recordings" / "mine.txt").write_text("mine")
    for words in ([], ["--overwrite"]):
        assert small("in", *words) == 2
        assert "holds other files, for example recordings/mine.txt" in capsys.readouterr().err


@pytest.mark.parametrize("manifest", [b"{}", b"mine", b'{"files": {"../in/r.hea": "0"}}', b"[" * 100_000])
def test_a_folder_whose_manifest_is_not_this_programs_is_left_alone(one, tmp_path, manifest, capsys):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "report.json").write_bytes(manifest)
    assert small("in", "--overwrite") == 2
    assert "holds other files, for example report.json" in capsys.readouterr().err
    assert (tmp_path / "pages" / "report.json").read_bytes() == manifest


def test_no_input_or_link_is_written_into(one, tmp_path, capsys):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("x")
    for output in ("in", ".", "-", "link", "file", "", "in/r.hea", "..", "/"):
        assert small("in", "-o", output, "--overwrite") == 2, output
        assert "allowed" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "in", "link", "r.hea", "r1.dat", "real"]


def test_pages_inside_an_input_folder_are_no_recordings(one):
    assert small("in", "-o", "in/pages") == 0
    assert small("in", "-o", "in/pages") == 0


def test_an_error_while_writing_leaves_the_earlier_report(one, tmp_path, monkeypatch):
    assert small("in") == 0
    before = texts(tmp_path / "pages")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_folder, "write_json", fails)
    assert small("in") == 3
    assert texts(tmp_path / "pages") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "pages"]


@pytest.mark.parametrize(
    "words", [["--start", "-1"], ["--start", "nan"], ["--probe", "nothing"], ["--model", "nowhere"], ["--fs", "-5"]]
)
def test_impossible_options_are_refused(one, tmp_path, words, capsys):
    assert run("in", *words) in (2, 3)
    assert "cgdmer: " in capsys.readouterr().err
    assert not (tmp_path / "pages").exists()


def test_nothing_is_written_if_nothing_can_be_read(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.edf").write_bytes(b"x")
    for path in ("empty", "bad.edf", "nowhere"):
        assert small(path) == 3
    assert "nothing is written" in capsys.readouterr().err
    assert not (tmp_path / "pages").exists()


def test_too_many_recordings_are_refused_before_they_are_read(one, monkeypatch, capsys):
    example.wfdb(one, "s", seed=2)
    monkeypatch.setattr(examination, "MOST", 1)
    assert small("in") == 2
    assert "more than 1 recordings" in capsys.readouterr().err


def test_folders_of_one_name_and_zips_are_told_apart(one, tmp_path):
    example.wfdb(tmp_path / "other" / "in", "r", seed=2)
    with zipfile.ZipFile("z.zip", "w") as archive:
        for path in one.iterdir():
            archive.write(path, path.name)
    assert small("in", "other/in", "z.zip", "in/r.hea") == 0
    rows = rows_of(tmp_path / "pages" / "recordings.csv")
    assert [row["recording"] for row in rows] == ["in/r.hea", "in (2)/r.hea", "z.zip/r.hea"]
    addresses = re.findall(r'href="(recordings/[^"]+)"', (tmp_path / "pages" / "index.html").read_text())
    assert all((tmp_path / "pages" / address).is_file() for address in addresses)
    assert len(addresses) == 3


def test_an_encoder_without_probes_shows_its_cosines(one, tmp_path):
    assert small("in") == 0
    page = (tmp_path / "pages" / "recordings" / "0001.html").read_text()
    assert "Cosines with prompts" in page
    assert "atrial fibrillation" in page
    assert "Likeliest classes" not in page
