"""Stage acquire: three ways, each recorded in the manifest, and safe to restart after a kill."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest
from support.scripted_server import checksums, serve

from cgdmer import datasets, paths
from cgdmer.acquisition import manifest, tree
from cgdmer.errors import DataError
from cgdmer.settings import Corpus
from cgdmer.stages.acquire import acquire

STATEMENTS = ",description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass\nNORM,normal,1.0,,,NORM,NORM\n"
PTB_XL = {
    "ptbxl_database.csv": b"ecg_id,patient_id\n",
    "scp_statements.csv": STATEMENTS.encode(),
    "records500/00000/00001_hr.hea": b"00001_hr 12 500 5000\n",
    "records500/00000/00001_hr.dat": b"\0" * 100,
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("CGDMER_RAW_ROOT", raising=False)
    return tmp_path


def lay_out(folder: Path) -> Path:
    for name, body in PTB_XL.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def read_manifest(source: str = "ptb_xl") -> dict[str, object]:
    return json.loads((paths.raw(source) / "manifest.json").read_text())


def outputs() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(paths.raw("ptb_xl").iterdir())}


def test_auto_simulates_where_there_is_no_copy_and_says_so(caplog):
    acquire("ptb_xl", corpus=Corpus(records=8, seed=3))
    assert read_manifest()["way"] == "simulate"
    assert "8 records are SIMULATED" in caplog.text
    assert "CGDMER_RAW_ROOT is not set" in caplog.text
    first = outputs()
    assert sorted(first) == ["manifest.json", "ptb_xl.zip"]
    digest = hashlib.sha256(first["ptb_xl.zip"]).hexdigest()
    assert read_manifest()["digest"] == hashlib.sha256(f"{digest}  ptb_xl.zip\n".encode()).hexdigest()
    with datasets.open_raw("ptb_xl", Corpus(records=8, seed=3)) as archive:
        assert "ptbxl_database.csv" in archive.names()
    acquire("ptb_xl", corpus=Corpus(records=8, seed=3))
    assert outputs() == first


def test_what_a_killed_run_left_is_removed():
    folder = paths.raw("ptb_xl")
    folder.mkdir(parents=True)
    (folder / ".ptb_xl.77.tmp.zip").write_bytes(b"half")
    (folder / "files.parquet").write_bytes(b"of another way")
    acquire("ptb_xl", corpus=Corpus(way="simulate", records=8))
    assert sorted(outputs()) == ["manifest.json", "ptb_xl.zip"]


def test_auto_takes_the_copy_under_the_raw_root(project, monkeypatch, caplog):
    root = lay_out(project / "ecg" / "PTB-XL")
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(project / "ecg"))
    acquire("ptb_xl", corpus=Corpus())
    assert read_manifest() | {"digest": ""} == {
        "way": "local",
        "source": "ptb_xl",
        "files": 4,
        "bytes": read_manifest()["bytes"],
        "digest": "",
    }
    assert f"the LOCAL copy at {root}" in caplog.text
    assert pl.read_parquet(paths.raw("ptb_xl") / "files.parquet")["path"].to_list() == sorted(PTB_XL)
    with datasets.open_raw("ptb_xl", Corpus()) as archive:
        manifest.check(paths.raw("ptb_xl"), archive.path)
        assert archive.names() == sorted(PTB_XL)


def test_auto_simulates_where_the_raw_root_lacks_this_source(project, monkeypatch, caplog):
    lay_out(project / "ecg" / "ptb-xl")
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(project / "ecg"))
    acquire("csn", corpus=Corpus(records=8))
    assert read_manifest("csn")["way"] == "simulate"
    assert "no local copy under CGDMER_RAW_ROOT" in caplog.text


def test_simulate_ignores_the_raw_root(project, monkeypatch):
    lay_out(project / "ecg" / "ptb-xl")
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(project / "ecg"))
    acquire("ptb_xl", corpus=Corpus(way="simulate", records=8))
    assert read_manifest()["way"] == "simulate"


@pytest.mark.parametrize("name", ["my copy", "nested"])
def test_an_explicit_root_is_taken_whatever_its_name(project, name):
    root = (
        lay_out(project / name / ("1.0.3" if name == "nested" else "")) if name == "nested" else lay_out(project / name)
    )
    acquire("ptb_xl", corpus=Corpus(root=str(project / name)))
    assert read_manifest()["files"] == 4
    assert root.is_dir()


def test_a_local_zip_stays_where_it_is(project):
    path = Path(shutil.make_archive(str(project / "ptb-xl-1.0.3"), "zip", lay_out(project / "tree")))
    acquire("ptb_xl", corpus=Corpus(root=str(path)))
    assert (read_manifest()["way"], read_manifest()["files"], read_manifest()["bytes"]) == (
        "local",
        1,
        path.stat().st_size,
    )
    assert sorted(outputs()) == ["files.parquet", "manifest.json"]


def test_the_raw_root_may_be_the_corpus_itself(project, monkeypatch):
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(lay_out(project / "cohort")))
    acquire("ptb_xl", corpus=Corpus())
    assert read_manifest()["way"] == "local"


def test_another_corpus_is_refused_before_its_files_are_read(project, monkeypatch):
    lay_out(project / "copy")
    monkeypatch.setattr(tree, "checksums", pytest.fail)
    with pytest.raises(DataError):
        acquire("csn", corpus=Corpus(root=str(project / "copy")))
    assert not paths.raw("csn").exists()


def test_a_missing_root_and_a_missing_copy_are_told_apart(project, monkeypatch):
    with pytest.raises(DataError, match=r"corpora\.ptb_xl\.root: /nowhere does not exist"):
        acquire("ptb_xl", corpus=Corpus(root="/nowhere"))
    with pytest.raises(DataError, match="no local copy of ptb_xl because CGDMER_RAW_ROOT is not set"):
        acquire("ptb_xl", corpus=Corpus(way="local"))
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(project))
    with pytest.raises(DataError, match=f"no local copy of ptb_xl under CGDMER_RAW_ROOT={project}"):
        acquire("ptb_xl", corpus=Corpus(way="local"))


def test_a_changed_copy_is_noticed_when_it_is_opened(project):
    root = lay_out(project / "copy")
    acquire("ptb_xl", corpus=Corpus(root=str(root)))
    (root / "records500/00000/00001_hr.dat").write_bytes(b"\0" * 99)
    with pytest.raises(DataError, match="1 files of"):
        manifest.check(paths.raw("ptb_xl"), root)
    acquire("ptb_xl", corpus=Corpus(root=str(root)))
    manifest.check(paths.raw("ptb_xl"), root)


def test_download_opens_like_any_other(project):
    files = PTB_XL | {"records100/00000/00001_lr.dat": b"\0"}
    with serve(files | {"SHA256SUMS.txt": checksums(files)}) as server:
        acquire("ptb_xl", corpus=Corpus(way="download", url=server.url))
        with datasets.open_raw("ptb_xl", Corpus(way="download", url=server.url)) as archive:
            assert archive.names() == sorted(["SHA256SUMS.txt", *PTB_XL])
            assert archive.read("ptbxl_database.csv") == PTB_XL["ptbxl_database.csv"]
            manifest.check(paths.raw("ptb_xl"), archive.path)
    assert read_manifest()["way"] == "download"


def test_another_way_replaces_the_output(project):
    acquire("ptb_xl", corpus=Corpus(way="simulate", records=8))
    acquire("ptb_xl", corpus=Corpus(root=str(lay_out(project / "copy"))))
    assert sorted(outputs()) == ["files.parquet", "manifest.json"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("source", "folder"),
    [("ptb_xl", "ptbxl"), ("cpsc2018", "cpsc2018"), ("cpsc2018", "cpsc2018_original"), ("csn", "csn")],
)
def test_real_corpora_are_acquired_where_they_lie(real, source, folder):
    acquire(source, corpus=Corpus(root=str(real / folder)))
    count = sum(path.is_file() for path in (real / folder).rglob("*"))
    assert read_manifest(source)["files"] == count


@pytest.mark.real
def test_real_corpora_are_found_by_name_under_one_root(real, monkeypatch):
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(real))
    roots = {source: datasets.local_root(source, Corpus()) for source in datasets.SOURCES}
    assert roots == {
        "ptb_xl": real / "ptbxl",
        "cpsc2018": real / "cpsc2018/training/cpsc_2018",
        "csn": real / "csn",
        "mimic_iv_ecg": None,
    }


@pytest.mark.real
def test_a_real_corpus_zipped_like_physionet_needs_no_unpacking(real, project):
    path = project / "a-large-scale-12-lead-electrocardiogram-database-for-arrhythmia-study-1.0.0.zip"
    with zipfile.ZipFile(path, "w") as target:
        for file in sorted((real / "csn").rglob("*")):
            if file.is_file():
                target.write(file, f"top/{file.relative_to(real / 'csn')}")
    acquire("csn", corpus=Corpus(root=str(path)))
    with datasets.open_raw("csn", Corpus(root=str(path))) as archive:
        assert len([name for name in archive.names() if name.endswith(".hea")]) == 63
