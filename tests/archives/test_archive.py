"""A folder and a zip behave alike, and no path leads out of either."""

import os
import pickle
import random
import time
import zipfile
from itertools import pairwise

import pytest

from cgdmer.archives import Archive, open_archive
from cgdmer.archives.zip_archive import RATIO_FROM
from cgdmer.errors import DataError, RecordError

FILES = {
    "top/index.csv": b"id\n1\n",
    "top/records/a/1.hea": b"1 1 500 2\n",
    "top/records/a/1.dat": bytes(range(256)) * 40,
    "top/records/ü.hea": b"",
    "other.txt": b"x",
}


def test_folder_and_zip_show_the_same_files(pack):
    with open_archive(pack(FILES)) as archive:
        assert archive.names() == sorted(FILES)
        assert {name: archive.read(name) for name in archive.names()} == FILES
        assert [archive.size(name) for name in archive.names()] == [len(FILES[name]) for name in sorted(FILES)]
        assert "other.txt" in archive
        assert "top" not in archive
        assert "absent" not in archive


def test_files_of_an_operating_system_are_not_listed(pack):
    added = ("top/._index.csv", "__MACOSX/top/records/._1.hea", "lost+found/x.hea", "top/System Volume Information/x")
    archive = open_archive(pack(FILES | dict.fromkeys(added, b"\0\5\x16\7")))
    assert archive.names() == sorted(FILES)
    assert archive.rooted("top").names() == ["index.csv", "records/a/1.dat", "records/a/1.hea", "records/ü.hea"]


def test_rooted_sees_only_below_its_folder(pack):
    archive = open_archive(pack(FILES)).rooted("top/records/")
    assert archive.names() == ["a/1.dat", "a/1.hea", "ü.hea"]
    assert archive.rooted("a").names() == ["1.dat", "1.hea"]
    assert archive.rooted("a").read("1.hea") == FILES["top/records/a/1.hea"]
    assert archive.rooted("").names() == archive.names()
    assert "other.txt" not in archive


def test_an_archive_works_after_pickling_and_after_closing(pack):
    archive = open_archive(pack(FILES)).rooted("top")
    copy = pickle.loads(pickle.dumps(archive))
    part = archive.rooted("records")
    archive.close()
    archive.close()
    assert copy.read("index.csv") == archive.read("index.csv") == b"id\n1\n"
    assert part.read("a/1.hea") == FILES["top/records/a/1.hea"]


def test_a_zip_replaced_by_another_is_read_anew(tmp_path):
    for content in (b"old", b"newer"):
        with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
            archive.writestr("a", content)
        assert open_archive(tmp_path / "c.zip").read("a") == content


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "C:/x", "c:x", "a\\b", "a/./b", "a//b", "", "a\nb"]
)
def test_a_name_that_leads_out_is_refused(pack, name):
    archive = open_archive(pack(FILES))
    for use in (archive.read, archive.size, archive.__contains__):
        with pytest.raises(RecordError, match="leads out of the corpus and is refused"):
            use(name)


def test_the_state_changes_with_the_files_and_their_neighbours(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    archive, names = open_archive(tmp_path).rooted("top/records"), ["a/1.hea", "none/2.hea", "../../x"]
    states = [archive.state(names)]
    (tmp_path / "other.txt").write_bytes(b"elsewhere")
    assert archive.state(names) == states[0]
    signal = tmp_path / "top/records/a/1.dat"
    for change in (
        lambda: signal.write_bytes(bytes(10240)),
        lambda: signal.chmod(0o600),
        lambda: signal.with_name("1.atr").touch(),
        lambda: signal.with_name("1.atr").unlink(),
        lambda: signal.with_name("1.link").symlink_to("nowhere"),
        lambda: (tmp_path / "top/records/none").mkdir(),
    ):
        time.sleep(0.02)  # the kernel's clock of files has ticks
        change()
        states.append(archive.state(names))
        assert archive.state(names) == states[-1]
    assert all(before != after for before, after in pairwise(states))


def test_the_state_of_a_zip_is_that_of_the_file(tmp_path):
    states = []
    for content in (b"old", b"new"):
        with zipfile.ZipFile(tmp_path / "c.zip", "w") as packed:
            packed.writestr("a", content)
        states += [open_archive(tmp_path / "c.zip").state(["a"]) for _ in range(2)]
        time.sleep(0.02)
    assert states[0] == states[1] != states[2] == states[3]


def test_rooted_cannot_climb(pack):
    with pytest.raises(RecordError, match="leads out"):
        open_archive(pack(FILES)).rooted("top/../..")


def test_what_is_missing_or_too_large_is_said(pack):
    archive = open_archive(pack(FILES))
    with pytest.raises(RecordError, match=r"top/none\.dat is missing"):
        archive.read("top/none.dat")
    with pytest.raises(RecordError, match=r"is missing"):
        archive.size("other.txt/none.dat")
    with pytest.raises(RecordError, match=r"1\.dat holds 10,240 bytes[\s\S]*at most 100 bytes"):
        archive.read("top/records/a/1.dat", limit=100)


def test_opening_something_else_is_said(tmp_path):
    with pytest.raises(DataError, match=r"nowhere is missing[\s\S]*a folder or a \.zip"):
        open_archive(tmp_path / "nowhere")
    (tmp_path / "corpus.tar").write_bytes(b"x")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        open_archive(tmp_path / "corpus.tar")
    with pytest.raises(DataError, match="No such file"):
        Archive(tmp_path / "later.zip").names()


def test_links_are_followed_inside_the_folder_only(tmp_path, caplog):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (corpus / "real").write_bytes(b"real")
    (corpus / "inner").symlink_to(corpus / "real")
    (corpus / "outer").symlink_to(tmp_path / "secret")
    (corpus / "broken").symlink_to(tmp_path / "nothing")
    (corpus / "circle").symlink_to(corpus)
    (corpus / "away").symlink_to(tmp_path)
    archive = open_archive(corpus)
    assert archive.names() == ["inner", "real"]
    assert "4 files are skipped: links that lead out" in caplog.text
    assert archive.read("inner") == b"real"
    for name in ("outer", "away/secret"):
        assert name not in archive
        with pytest.raises(RecordError, match="leads out of the corpus"):
            archive.read(name)


def test_a_corpus_may_itself_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert open_archive(tmp_path / "link").read("a") == b"a"


def test_pipes_and_folders_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(RecordError, match="is not a file"):
            open_archive(tmp_path).read(name)


def test_a_name_no_table_can_hold_is_left_out(tmp_path, caplog):
    (tmp_path / os.fsdecode(b"bad\xff")).write_bytes(b"")
    (tmp_path / "good").write_bytes(b"")
    assert open_archive(tmp_path).names() == ["good"]
    assert "1 files are skipped: links that lead out of it, or names" in caplog.text


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "C:\\x", "d:x", "a/../b", "a\\..\\b"])
def test_a_zip_with_an_unsafe_member_is_refused_whole(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("fine", b"")
        archive.writestr(name, b"")
    with pytest.raises(DataError, match="leads out of the archive; nothing of it is read"):
        open_archive(tmp_path / "c.zip")


def test_zip64_and_leading_bytes_and_comments_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 30)
    path = tmp_path / "c.zip"
    path.write_bytes(b"#!/bin/sh leading bytes\n")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"PK\5\6 is not the end"[4:]
        for number in range(9):
            archive.writestr(f"folder/{number}", os.urandom(10 * number))
    ours = open_archive(path)
    with zipfile.ZipFile(path) as theirs:
        assert ours.names() == theirs.namelist()
        assert [ours.read(name) for name in ours.names()] == [theirs.read(name) for name in theirs.namelist()]


def test_a_bomb_is_refused_by_what_it_declares(tmp_path):
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(RATIO_FROM + (1 << 20)))
        archive.writestr("flat", bytes(120_000))
    archive = open_archive(tmp_path / "c.zip")
    with pytest.raises(RecordError, match=r"bomb holds 17,825,792 bytes, more than the limit for one file"):
        archive.read("bomb")
    assert archive.read("flat") == bytes(120_000)


def test_a_bomb_that_lies_about_its_size_is_inflated_no_further(tmp_path):
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(1 << 24))
    content, entry = bytearray(path.read_bytes()), path.read_bytes().index(b"PK\1\2")
    content[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(RecordError, match="bomb is damaged: its checksum differs"):
        open_archive(path).read("bomb")


def test_other_methods_and_passwords_are_refused(tmp_path):
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a", b"x")
    with pytest.raises(RecordError, match=r"method 12[\s\S]*stored or deflated"):
        open_archive(path).read("a")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(RecordError, match="with a password"):
        open_archive(path).read("a")


@pytest.fixture
def small_zip(tmp_path):
    path = tmp_path / "small.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return path


def test_a_truncated_zip_is_an_error_wherever_it_is_cut(small_zip):
    whole = small_zip.read_bytes()
    for length in range(0, len(whole), 7):
        small_zip.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"not a readable zip[\s\S]*a complete zip[\s\S]*unzip -tq"):
            open_archive(small_zip)


def test_a_damaged_zip_gives_right_bytes_or_an_error(small_zip):
    whole, rng = small_zip.read_bytes(), random.Random(1)
    refused = 0
    for _ in range(600):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        small_zip.write_bytes(damaged)
        try:
            with open_archive(small_zip) as archive:
                for name in archive.names():
                    assert archive.read(name) == FILES.get(name, archive.read(name))
        except DataError:
            refused += 1
    assert refused > 300


def test_a_depth_limits_what_is_listed_but_not_what_is_read(tmp_path):
    for name in ("a.txt", "x/b.txt", "x/y/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    depths = {depth: open_archive(tmp_path, depth).names() for depth in (1, 2, 3, None)}
    everything = ["a.txt", "x/b.txt", "x/y/c.txt"]
    assert depths == {1: everything[:1], 2: everything[:2], 3: everything, None: everything}
    archive = pickle.loads(pickle.dumps(open_archive(tmp_path, 1).rooted("x")))
    assert archive.names() == ["b.txt"]
    assert archive.read("y/c.txt") == b"x/y/c.txt"
