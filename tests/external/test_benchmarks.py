"""Local copies of benchmark corpora: several are one set, and a part lends itself the tables of another."""

import shutil
import zipfile

import numpy as np
import pytest

from cgdmer import demo_corpora, settings
from cgdmer.errors import DataError
from cgdmer.external import benchmarks
from cgdmer.external.external_set import REPEATED

CONFIG = settings.parse(
    {"matrix": {name: [] for name in ("sources", "benchmarks", "encoders", "controls", "probed")},
     "corpora": {"ptb_xl": {"records": 24}}}
)  # fmt: skip


@pytest.fixture
def two_copies(tmp_path, monkeypatch):
    """A whole copy, and a second one with the same records and no table of statements."""
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    demo_corpora.write("ptb_xl", tmp_path / "ptb_xl.zip", settings.Corpus(records=24, seed=3))
    root = tmp_path / "root"
    for name in ("first", "second"):
        with zipfile.ZipFile(tmp_path / "ptb_xl.zip") as archive:
            archive.extractall(root / name)
    next((root / "second").rglob("scp_statements.csv")).unlink()
    (root / "other").mkdir()
    return root


def test_copies_are_found_and_read_as_one_set(two_copies, tmp_path):
    folders = benchmarks.copies("ptb_xl", two_copies)
    assert [folder.name for folder in folders] == ["first", "second"]
    read = benchmarks.read("ptb_xl", folders, CONFIG, settings.Signal(), tmp_path / "work")
    assert read.signals.shape == (24, 12, 1000)
    assert read.left_out["same id as another"] == 24
    assert read.left_out[REPEATED] == 0
    assert len(read.patients) == 24 > len(set(read.patients))
    labels = read.tasks["ptb_xl_super"]
    assert labels.matrix.shape == (24, 5)
    assert not labels.matrix[~labels.members].any()
    assert labels.matrix.sum() >= 20
    assert np.isfinite(read.measurements["age"]).all()
    assert read.origin.licence == "CC BY 4.0"


def test_a_folder_that_is_the_corpus_is_its_own_copy(two_copies):
    (top,) = (two_copies / "first").iterdir()
    assert benchmarks.copies("ptb_xl", top) == [top]
    assert benchmarks.copies("csn", two_copies) == []


def test_several_versions_of_a_mirror_are_named(two_copies):
    (top,) = (two_copies / "first").iterdir()
    (two_copies / "mirror").mkdir()
    top.rename(two_copies / "mirror" / "1.0.1")
    assert benchmarks.copies("ptb_xl", two_copies) == [two_copies / "mirror", two_copies / "second"]
    shutil.copytree(two_copies / "mirror" / "1.0.1", two_copies / "mirror" / "1.0.3")
    with pytest.raises(DataError, match=r"several versions of ptb_xl: .*1\.0\.1, .*1\.0\.3"):
        benchmarks.copies("ptb_xl", two_copies)


def test_the_real_parts_of_ptb_xl_are_one_set(real, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    folders = benchmarks.copies("ptb_xl", real)
    assert [folder.name for folder in folders] == ["ptbxl", "ptbxl_extra"]
    read = benchmarks.read("ptb_xl", folders, CONFIG, settings.Signal(), tmp_path / "work")
    assert len(read.patients) == 551
    assert read.left_out[REPEATED] == 5  # PTB-XL before 1.0.2 has identical recordings
    assert read.tasks["ptb_xl_super"].members.sum() == 540
