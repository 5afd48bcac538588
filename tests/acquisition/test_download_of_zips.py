"""Download whole corpora from a real server as one zip, with faults and damaged archives."""

import io
import zipfile
from pathlib import Path

import pytest
from support.scripted_server import Fault, checksums
from support.served_corpus import DISK, FILES, get, zipped

from cgdmer.acquisition import manifest, space
from cgdmer.errors import DataError

pytestmark = pytest.mark.usefixtures("project")


def test_a_zip_is_fetched_checked_and_kept_as_it_is(server):
    body = server.files["get-zip/ptb-xl.zip"] = zipped(FILES)
    server.faults["get-zip/ptb-xl.zip"] += [Fault(cut=200_000)]
    archive = get(server, url="get-zip/ptb-xl.zip?version=1")
    assert archive.read_bytes() == body
    assert [one.status for one in server.gets()] == [200, 206]
    manifest.check(archive.parent, archive)


def test_a_zip_that_breaks_its_own_list_is_fetched_twice_then_refused(server):
    server.files["ptb-xl.zip"] = zipped(FILES, sums=checksums(FILES | {"LICENSE.txt": b"other"}))
    with pytest.raises(DataError, match=r"ptb-xl\.zip: ptb-xl-1\.0\.3/LICENSE\.txt in the zip: sha256"):
        get(server, url="ptb-xl.zip")
    assert len(server.gets()) == 2
    assert not Path("data/raw/ptb_xl/ptb_xl.zip").exists()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "html", "incomplete"])
def test_a_damaged_zip_is_mended_by_the_second_fetch(server, damage):
    body = server.files["ptb-xl.zip"] = zipped(FILES)
    bad = {
        "truncated": body[:-100],
        "flipped": body[:100_000] + bytes([body[100_000] ^ 1]) + body[100_001:],
        "html": b"<html>please sign in</html>",
        "incomplete": zipped({"LICENSE.txt": FILES["LICENSE.txt"]}, sums=checksums(FILES)),
    }
    server.faults["ptb-xl.zip"] += [Fault(body=bad[damage])]
    assert get(server, url="ptb-xl.zip").read_bytes() == body


def test_a_zip_that_does_not_inflate_is_damaged(server):
    text = {"notes.csv": b"sinus rhythm\n" * 1000}
    body = server.files["a.zip"] = zipped(text, top="")
    start = body.index(b"notes.csv") + len(b"notes.csv")
    server.faults["a.zip"] += [Fault(body=body[:start] + b"\xff" * 20 + body[start + 20 :])]
    assert get(server, url="a.zip").read_bytes() == body


def test_a_zip_without_a_list_is_checked_by_crc(server, caplog):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("a.txt", b"content")
    good = server.files["a.zip"] = buffer.getvalue()
    server.faults["a.zip"] += [Fault(body=good.replace(b"content", b"c0ntent"))]
    assert get(server, url="a.zip").read_bytes() == good
    assert "checked by CRC only" in caplog.text


def test_a_full_disk_is_refused_before_a_zip(server, monkeypatch):
    server.files["a.zip"] = zipped(FILES)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: DISK(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DataError, match=r"a\.zip needs"):
        get(server, url="a.zip")
    assert server.gets() == []
