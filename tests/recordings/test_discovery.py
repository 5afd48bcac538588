"""Find recordings: with any name, in a fixed order, each once, none outside the folder."""

import io
import os
import zipfile

import pytest
from support import example_recordings as example

from cgdmer.commands import own_arguments
from cgdmer.errors import DataError, RecordError
from cgdmer.recordings import ArrayMetadata, RecordingPath, find_recordings, read
from cgdmer.recordings.discovery import SUFFIXES, Rejected, read_paths

STRANGE = ["plain", "with space", 'quote\'s "double"', "new\nline", "ümläut-心电图", "-dash", "tab\there", "semi;colon"]


def ids(*paths, listing=b"", metadata=None):
    return [
        recording.id
        for recording in find_recordings(
            [str(path) for path in paths], metadata or ArrayMetadata(), io.BytesIO(listing)
        )
    ]


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(STRANGE):
        example.wfdb(tmp_path / "all", name, seed=number)
    return tmp_path / "all"


def test_any_name_is_found_in_name_order_and_read(folder):
    recordings = list(find_recordings([str(folder)], ArrayMetadata()))
    assert [path.member for path in recordings] == sorted(f"{name}.hea" for name in STRANGE)
    assert all(read(path, ArrayMetadata()).signal.shape == (12, 2500) for path in recordings)


def test_bytes_that_are_no_text_are_written_out(tmp_path):
    os.makedirs(tmp_path / "a")
    path = os.path.join(os.fsencode(tmp_path), b"a", b"bad\xff.hea")
    header = example.wfdb(tmp_path / "b", "r0")
    os.link(header, path)
    os.link(tmp_path / "b" / "r0.dat", tmp_path / "a" / "r0.dat")
    (recording,) = find_recordings([str(tmp_path / "a")], ArrayMetadata())
    assert recording.id.endswith(r"bad\xff.hea")


def test_files_that_an_operating_system_adds_are_no_recordings(folder):
    before = ids(folder)
    (folder / "._plain.hea").write_bytes(b"\0\5\x16\7")
    (folder / "lost+found").mkdir()
    (folder / "lost+found" / "r1.hea").write_text("r1 1 500 10")
    assert ids(folder) == before


def test_a_recording_named_twice_is_taken_once(folder):
    header, signal = folder / "plain.hea", folder / "." / "plain.hea"
    assert len(ids(header, header, signal, f"{folder}/../all/plain.hea")) == 1
    assert len(ids(folder, header, folder)) == len(ids(folder))


def test_headers_signals_and_companions_are_one_recording(tmp_path):
    example.wfdb(tmp_path, "r0")
    assert len(ids(tmp_path)) == 1
    assert len(ids(tmp_path / "r0.hea", tmp_path / "r0.dat", tmp_path / "r0")) == 1


def test_a_signal_file_beside_an_upper_case_header_is_no_recording_of_its_own(tmp_path):
    example.wfdb(tmp_path, "r0").rename(tmp_path / "r0.HEA")
    (tmp_path / "r0.dat").rename(tmp_path / "r0.mat")
    assert ids(tmp_path) == ids(tmp_path / "r0.mat") == [str(tmp_path / "r0.HEA")]


def test_arrays_in_a_folder_are_taken_where_somebody_described_them(tmp_path, caplog):
    example.npy(tmp_path, "described", sidecar=True)
    example.npy(tmp_path, "bare", sidecar=False)
    (tmp_path / "metadata.csv").write_text("a,b\n")
    assert [os.path.basename(name) for name in ids(tmp_path)] == ["described.npy"]
    assert "2 .npy and .csv are skipped" in caplog.text
    assert len(ids(tmp_path, metadata=ArrayMetadata(500.0, "mV"))) == 3


def test_a_zip_is_searched_like_a_folder(tmp_path):
    header = example.wfdb(tmp_path / "all", "r0")
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(header, "deep/er/r0.hea")
        archive.write(tmp_path / "all" / "r0.dat", "deep/er/r0.dat")
        archive.writestr("readme.txt", "")
    assert ids(tmp_path / "some.zip") == [str(tmp_path / "some.zip" / "deep/er/r0.hea")]


def test_a_zip_that_leads_out_is_refused_whole(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../../r0.hea", "r0 1 500 10")
    (recording,) = find_recordings([str(tmp_path / "bad.zip")], ArrayMetadata())
    assert isinstance(recording, Rejected)
    assert "leads out" in recording.reason


def test_links_that_lead_out_of_a_given_folder_are_refused_and_circles_are_not_walked(tmp_path):
    header = example.wfdb(tmp_path / "outside", "r0")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "link.hea").symlink_to(header)
    (tmp_path / "given" / "circle").symlink_to(tmp_path / "given")
    (path,) = find_recordings([str(tmp_path / "given")], ArrayMetadata())
    assert isinstance(path, RecordingPath)
    with pytest.raises(RecordError, match=r"link\.hea is a link that leads out of the folder that you named") as caught:
        read(path, ArrayMetadata())
    assert "name the file itself or the folder behind it" in caught.value.allowed
    assert "corpus" not in str(caught.value)
    assert len(ids(tmp_path / "given" / "link.hea")) == 1


def test_linked_folders_and_zips_in_a_folder_are_counted_and_named(tmp_path, caplog):
    example.wfdb(tmp_path / "elsewhere", "r1")
    example.wfdb(tmp_path / "nest", "r0")
    for number in range(5):
        (tmp_path / "nest" / f"more{number}.zip").write_bytes(b"")
    (tmp_path / "nest" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "nest" / "circle").symlink_to("circle")
    assert ids(tmp_path / "nest") == [str(tmp_path / "nest" / "r0.hea")]
    assert "links to folders are not followed: 1 skipped (linked); name those folders too" in caplog.text
    assert "5 skipped (more0.zip, more1.zip, more2.zip and 2 more); name each zip itself" in caplog.text


def test_a_list_is_parted_by_line_or_by_nul(folder):
    lines = "\n".join(str(folder / f"{name}.hea") for name in STRANGE if "\n" not in name)
    assert len(ids("-", listing=lines.encode())) == len(STRANGE) - 1
    nul = "\0".join(str(folder / f"{name}.hea") for name in STRANGE)
    assert len(ids("-", listing=nul.encode())) == len(STRANGE)
    assert ids("-", listing=b"") == []


def test_a_list_is_read_block_by_block():
    many = b"\n".join(b"a" * 100 + str(number).encode() for number in range(5000))
    assert len(list(read_paths(io.BytesIO(many)))) == 5000
    with pytest.raises(DataError, match="above 32,768 bytes"):
        list(read_paths(io.BytesIO(b"a" * 200_000)))


def test_a_folder_that_cannot_be_listed_is_rejected_by_name(tmp_path, monkeypatch):
    example.wfdb(tmp_path / "a", "r0")
    (tmp_path / "locked").mkdir()
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: refuse() if str(path).endswith("locked/") else scan(path))

    def refuse():
        raise PermissionError(13, "Permission denied")

    recordings = list(find_recordings([str(tmp_path)], ArrayMetadata()))
    assert [path.id.removeprefix(str(tmp_path)) for path in recordings] == ["/a/r0.hea", "/locked/"]
    assert isinstance(recordings[1], Rejected)


def test_help_names_every_suffix():
    assert sorted(own_arguments.FORMATS.split()) == sorted(SUFFIXES)
    assert own_arguments.FORMATS in " ".join(own_arguments.searched().format_help().split())
