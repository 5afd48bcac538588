"""Find a corpus on this machine by its usual names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cgdmer.archives.locate import locate, not_found
from cgdmer.errors import DataError
from cgdmer.settings import Corpus

ALIASES = ("ptb-xl", "ptbxl")
TITLE = "ptb-xl-a-large-publicly-available-electrocardiography-dataset"


def make(root: Path, *names: str) -> None:
    """Make a folder for each name, a file for each that ends in .zip; a name with 'real' holds the corpus."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"") if name.lower().endswith((".zip", ".csv")) else path.mkdir(exist_ok=True)


def find(
    root: Path | None, recognises: Callable[[Path, bool], bool] | None = None, at: Path | None = None
) -> Path | None:
    return locate("ptb_xl", ALIASES, Corpus(root=str(at) if at else None), root, recognises)


@pytest.mark.parametrize(
    "name",
    [
        *("ptb-xl", "PTB-XL", "ptbxl", "PTB_XL", "Ptb Xl", "ptb_xl.zip", "PTB-XL.ZIP", "ptb-xl-1.0.3", "ptbxl_1.0.3"),
        *(f"{TITLE}-1.0.3", f"{TITLE}-1.0.3.zip", "physionet.org/files/ptb-xl", "files/ptb-xl"),
    ],
)
def test_usual_names_are_found(tmp_path, name):
    make(tmp_path, name, "mimic-iv-ecg", "csn")
    assert find(tmp_path) == tmp_path / name


@pytest.mark.parametrize("name", ["ptbxl_database_full.csv", "ptb-diagnostic", "my-ptb-xl", "ptbxlplus", ".ptb-xl"])
def test_other_names_are_not(tmp_path, name):
    make(tmp_path, name)
    assert find(tmp_path) is None


def test_an_exact_name_goes_before_a_longer_and_a_folder_before_a_zip(tmp_path):
    make(tmp_path, "ptbxl.zip", "ptb-xl-1.0.1", "ptb-xl-1.0.3")
    assert find(tmp_path) == tmp_path / "ptbxl.zip"
    make(tmp_path, "ptbxl")
    assert find(tmp_path) == tmp_path / "ptbxl"


def test_a_mirror_is_its_version_and_several_versions_are_named(tmp_path):
    make(tmp_path, "physionet.org/files/ptb-xl", "physionet.org/files/ptb-xl/1.0.3", "physionet.org/files/ptb-xl/old")
    mirror = tmp_path / "physionet.org/files/ptb-xl"
    assert find(tmp_path) == mirror / "1.0.3"
    assert find(mirror) == mirror / "1.0.3"
    make(mirror, "1.0.1")
    with pytest.raises(DataError, match=r"ptb-xl/1\.0\.1, .*ptb-xl/1\.0\.3") as caught:
        find(tmp_path)
    assert "corpora.ptb_xl.root" in str(caught.value)
    assert find(tmp_path, lambda path, at_top: path.name == "1.0.1") == mirror / "1.0.1"
    assert find(tmp_path, lambda path, at_top: False) == mirror


def test_a_second_copy_is_named_when_it_is_not_used(tmp_path, caplog):
    make(tmp_path, "ptb-xl", "ptbxl")
    assert find(tmp_path) == tmp_path / "ptb-xl"
    assert f"{tmp_path / 'ptbxl'} is not; corpora.ptb_xl.root chooses another" in caplog.text


def test_a_zip_and_the_folder_that_it_was_unpacked_to_are_one_copy(tmp_path, caplog):
    make(tmp_path, f"{TITLE}-1.0.3-real.zip", f"{TITLE}-1.0.3-real")
    assert find(tmp_path, lambda path, at_top: True) == tmp_path / f"{TITLE}-1.0.3-real"
    assert f"{TITLE}-1.0.3-real.zip is not; corpora.ptb_xl.root chooses another" in caplog.text
    holds = f"{TITLE}-1.0.3-real.zip"
    assert find(tmp_path, lambda path, at_top: path.name == holds) == tmp_path / holds, "the folder is incomplete"
    make(tmp_path, f"{TITLE}-1.0.1.zip")
    with pytest.raises(DataError, match="several local copies"):
        find(tmp_path, lambda path, at_top: True)


def test_a_collection_is_searched_last_and_must_hold_the_corpus(tmp_path):
    collections = ("challenge-2021", "challenge-2020", "long-title")

    def search(*holding: str) -> Path | None:
        return locate("x", ("y",), Corpus(), tmp_path, lambda path, at_top: path.name in holding, collections)

    make(
        tmp_path, "challenge-2020", "challenge-2021", "challenge-2021/1.0.2", "challenge-2021/1.0.3", "long-title-1.zip"
    )
    assert search() is None
    assert search("1.0.3", "challenge-2020") == tmp_path / "challenge-2021/1.0.3"
    assert search("challenge-2020", "long-title-1.zip") == tmp_path / "challenge-2020"
    assert search("long-title-1.zip") == tmp_path / "long-title-1.zip"
    with pytest.raises(DataError, match=r"1\.0\.2, .*1\.0\.3"):
        search("1.0.2", "1.0.3")
    make(tmp_path, "y")
    assert search("1.0.3") == tmp_path / "y"


def test_an_earlier_alias_goes_before_a_later(tmp_path):
    make(tmp_path, "chapman", "csn.zip", "ecg-arrhythmia")
    assert locate("csn", ("ecg-arrhythmia", "chapman"), Corpus(), tmp_path) == tmp_path / "csn.zip"
    assert locate("x", ("ecg-arrhythmia", "chapman"), Corpus(), tmp_path) == tmp_path / "ecg-arrhythmia"


def test_two_versions_are_not_ours_to_choose(tmp_path):
    make(tmp_path, "ptb-xl-1.0.1", "ptb-xl-1.0.3.zip")
    with pytest.raises(DataError, match=r"ptb-xl-1\.0\.1, .*ptb-xl-1\.0\.3\.zip") as caught:
        find(tmp_path)
    assert "corpora.ptb_xl.root" in str(caught.value)


def test_a_longer_name_must_hold_the_corpus(tmp_path, caplog):
    make(tmp_path, "ptb-xl-plus", "ptb-xl-1.0.3")
    assert find(tmp_path, lambda path, at_top: path.name == "ptb-xl-1.0.3") == tmp_path / "ptb-xl-1.0.3"
    assert "ptb-xl-plus is named like ptb_xl" in caplog.text
    assert find(tmp_path, lambda path, at_top: False) is None


def test_the_raw_root_itself_may_be_the_corpus(tmp_path):
    make(tmp_path, "PTB-XL", "mine", "ptb-xl.zip")
    assert find(tmp_path / "PTB-XL") == tmp_path / "PTB-XL"
    assert find(tmp_path / "ptb-xl.zip") == tmp_path / "ptb-xl.zip"
    assert find(tmp_path / "mine") is None
    assert find(tmp_path / "mine", lambda path, at_top: path.name == "mine") == tmp_path / "mine"


def test_an_explicit_root_wins_and_must_exist(tmp_path):
    make(tmp_path, "ptb-xl", "other")
    assert find(tmp_path, at=tmp_path / "other") == tmp_path / "other"
    with pytest.raises(DataError, match=r"corpora\.ptb_xl\.root: .*nowhere does not exist"):
        find(tmp_path, at=tmp_path / "nowhere")


def test_nothing_is_found_without_a_root():
    assert find(None) is None


def test_the_error_states_what_was_searched_and_how_to_fix_it(tmp_path):
    text = str(not_found("ptb_xl", ALIASES, tmp_path))
    assert str(tmp_path) in text
    assert "ptb_xl, ptb-xl, ptbxl" in text
    assert "corpora.ptb_xl.root" in text
    assert "CGDMER_RAW_ROOT is not set" in str(not_found("ptb_xl", ALIASES, None))
