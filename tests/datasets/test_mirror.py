"""Every source finds its own folder or zip in a mirror of PhysioNet, and nothing of another project."""

import shutil
import zipfile
from pathlib import Path

import pytest

from cgdmer import datasets, paths
from cgdmer.archives.folder import Folder
from cgdmer.errors import DataError
from cgdmer.files import read_json
from cgdmer.settings import Corpus, Index
from cgdmer.stages.acquire import acquire

FILES = "physionet.org/files"
RECORDS = {
    "mimic_iv_ecg": ["10_1", "10_2", "11_3"],
    "ptb_xl": ["1", "2", "3", "4", "5"],
    "cpsc2018": ["A0001", "A0002", "A0900"],
    "csn": ["JS00001", "JS00002", "JS00003", "JS00004", "JS00005"],
}
PROJECTS = {
    "mimic_iv_ecg": f"{FILES}/mimic-iv-ecg/1.0",
    "ptb_xl": f"{FILES}/ptb-xl/1.0.3",
    "cpsc2018": f"{FILES}/challenge-2021/1.0.3",
    "csn": f"{FILES}/ecg-arrhythmia/1.0.0",
}
ROOTS = {**PROJECTS, "cpsc2018": f"{PROJECTS['cpsc2018']}/training/cpsc_2018"}
ZIPS = {
    "mimic_iv_ecg": "mimic-iv-ecg-diagnostic-electrocardiogram-matched-subset-1.0",
    "ptb_xl": "ptb-xl-a-large-publicly-available-electrocardiography-dataset-1.0.3",
    "cpsc2018": "will-two-do-varying-dimensions-in-electrocardiography-the-physionet-computing-in-cardiology-"
    "challenge-2021-1.0.3",
    "csn": "a-large-scale-12-lead-electrocardiogram-database-for-arrhythmia-study-1.0.0",
}
"""The names of PhysioNet's zips, which are also the names of the folder inside."""
OTHERS = {
    "cpsc_2018_extra": "Q0001",
    "georgia": "E00001",
    "ptb-xl": "HR00001",
    "ptb": "S0001",
    "st_petersburg_incart": "I0001",
    "chapman_shaoxing": "JS00001",
    "ningbo": "JS10647",
}
"""The other databases of the PhysioNet/CinC Challenge 2021 and one record of each."""


@pytest.fixture
def mirror(tiny, tmp_path, write_record, monkeypatch) -> Path:
    """Write all projects as `wget --recursive` of PhysioNet leaves them; both challenges hold CPSC2018."""
    root = tmp_path / "mirror"
    for source, project in PROJECTS.items():
        shutil.copytree(tiny(source), root / project)
    shutil.copytree(root / PROJECTS["cpsc2018"], root / FILES / "challenge-2020/1.0.2")
    for challenge in ("challenge-2021/1.0.3", "challenge-2020/1.0.2"):
        for database, record in OTHERS.items():
            write_record(
                root / FILES / challenge, f"training/{database}/g1/{record}", comments=("Dx: 59118001",), suffix=".mat"
            )
    for folder in [path for path in root.rglob("*") if path.is_dir()]:
        (folder / "index.html").write_text("<title>Index</title>")
    for project in [*PROJECTS.values(), f"{FILES}/challenge-2020/1.0.2"]:
        for name in ("RECORDS", "SHA256SUMS.txt", "LICENSE.txt"):
            (root / project / name).write_text("")
    (root / "physionet.org/robots.txt").write_text("User-agent: *\n")
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(root))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return root


def index_of(source: str) -> list[str]:
    with datasets.open_raw(source, Corpus()) as archive:
        frame = datasets.module(source).read_index(archive, corpus=Corpus(), index=Index(), protocol=None).frame
    return sorted(frame["id"])


@pytest.mark.parametrize("start", ["", "physionet.org", FILES])
def test_every_source_finds_its_own_root_wherever_the_mirror_starts(mirror, monkeypatch, start):
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(mirror / start))
    expected = {source: mirror / ROOTS[source] for source in datasets.SOURCES}
    assert {source: datasets.local_root(source, Corpus()) for source in datasets.SOURCES} == expected


@pytest.mark.parametrize("source", datasets.SOURCES)
def test_the_copy_and_its_index_hold_the_files_of_one_source(mirror, source, caplog):
    caplog.set_level("INFO", "cgdmer")
    acquire(source, corpus=Corpus(way="local"))
    content = read_json(paths.raw(source) / "manifest.json")
    root = mirror / ROOTS[source]
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "index.html"]
    assert (content["files"], content["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    assert f"from {root}: {content['files']} files, {content['bytes']} bytes" in caplog.text
    assert index_of(source) == RECORDS[source]


@pytest.mark.parametrize("source", datasets.SOURCES)
def test_a_source_that_the_mirror_lacks_takes_nothing_else(mirror, source):
    shutil.rmtree(mirror / ROOTS[source])
    if source == "cpsc2018":
        shutil.rmtree(mirror / FILES / "challenge-2020/1.0.2/training/cpsc_2018")
    else:
        shutil.rmtree((mirror / ROOTS[source]).parent)
    assert datasets.local_root(source, Corpus()) is None
    rest = set(datasets.SOURCES) - {source}
    assert {other: datasets.local_root(other, Corpus()) for other in rest} == {
        other: mirror / ROOTS[other] for other in rest
    }


def test_the_older_challenge_is_used_if_the_newer_is_not_there(mirror):
    shutil.rmtree(mirror / FILES / "challenge-2021")
    assert datasets.local_root("cpsc2018", Corpus()) == mirror / FILES / "challenge-2020/1.0.2/training/cpsc_2018"
    assert index_of("cpsc2018") == RECORDS["cpsc2018"]


@pytest.mark.parametrize("start", ["challenge-2021", "challenge-2021/1.0.3", "challenge-2021/1.0.3/training"])
def test_the_raw_root_may_be_a_challenge(mirror, monkeypatch, start):
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(mirror / FILES / start))
    assert datasets.local_root("cpsc2018", Corpus()) == mirror / ROOTS["cpsc2018"]
    assert datasets.local_root("mimic_iv_ecg", Corpus()) is None
    assert datasets.local_root("csn", Corpus()) is None


@pytest.mark.parametrize("source", datasets.SOURCES)
def test_several_versions_are_named_with_the_setting_that_chooses(mirror, source):
    version = mirror / PROJECTS[source]
    older = version.with_name("0.9.9")
    shutil.copytree(version, older)
    with pytest.raises(DataError) as caught:
        datasets.local_root(source, Corpus())
    for part in (str(older), str(version), f"corpora.{source}.root"):
        assert part in str(caught.value)
    assert datasets.local_root(source, Corpus(root=str(older))) == mirror / ROOTS[source].replace(
        version.name, older.name
    )


def test_the_zips_of_physionet_are_found_by_their_own_names(mirror, tmp_path, monkeypatch):
    folder = tmp_path / "zips"
    folder.mkdir()
    for source, name in ZIPS.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for file in sorted((mirror / PROJECTS[source]).rglob("*")):
                archive.write(file, f"{name}/{file.relative_to(mirror / PROJECTS[source]).as_posix()}")
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(folder))
    roots = {source: datasets.local_root(source, Corpus()) for source in datasets.SOURCES}
    assert roots == {source: folder / f"{name}.zip" for source, name in ZIPS.items()}
    assert {source: index_of(source) for source in datasets.SOURCES} == RECORDS


def test_a_flat_copy_beside_other_corpora_stays_in_its_folder(mirror, tmp_path, monkeypatch):
    root = tmp_path / "flat"
    for source in ("ptb_xl", "csn"):
        shutil.copytree(mirror / PROJECTS[source], root / source)
    (root / "cpsc").mkdir()
    for file in (mirror / ROOTS["cpsc2018"]).rglob("A*"):
        shutil.copyfile(file, root / "cpsc" / file.name)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(root))
    assert datasets.local_root("cpsc2018", Corpus()) is None
    assert datasets.local_root("cpsc2018", Corpus(root=str(root))) == root / "cpsc"
    (root / "cpsc").rename(root / "CPSC_2018")
    assert datasets.local_root("cpsc2018", Corpus()) == root / "CPSC_2018"


@pytest.mark.parametrize("source", ["ptb_xl", "cpsc2018", "csn"])
def test_looking_for_a_source_does_not_list_the_records_of_another(mirror, source, monkeypatch):
    listed: list[str] = []
    scan = Folder._scan
    monkeypatch.setattr(Folder, "_scan", lambda self, name: listed.append(self._top + name) or scan(self, name))
    shutil.rmtree(mirror / FILES / "challenge-2020")
    shutil.rmtree((mirror / PROJECTS[source]).parent)
    assert datasets.local_root(source, Corpus()) is None
    assert not [folder for folder in listed if "mimic-iv-ecg/1.0/files" in folder]
    assert listed, "the raw root itself is looked at"
