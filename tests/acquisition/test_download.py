"""Download whole corpora from a real server file by file, with kills and faults."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from support.scripted_server import Fault, checksums, serve
from support.served_corpus import DISK, FILES, QUICK, SAME, content, fail, get

from cgdmer.acquisition import space
from cgdmer.acquisition.download import download
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import read_json

pytestmark = pytest.mark.usefixtures("project")


def test_a_corpus_becomes_one_stored_zip_with_a_manifest(server):
    archive = get(server)
    assert content(archive) == SAME | {"SHA256SUMS.txt": checksums(SAME)}
    with zipfile.ZipFile(archive) as source:
        assert source.namelist() == sorted(source.namelist())
        assert {member.compress_type for member in source.infolist()} == {zipfile.ZIP_STORED}
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert read_json(archive.parent / "manifest.json") == {
        "way": "download",
        "source": "ptb_xl",
        "files": 1,
        "bytes": archive.stat().st_size,
        "digest": hashlib.sha256(f"{digest}  ptb_xl.zip\n".encode()).hexdigest(),
    }
    assert sorted(path.name for path in archive.parent.iterdir()) == ["manifest.json", "ptb_xl.zip"]


def test_the_same_corpus_gives_the_same_bytes(server, project, monkeypatch):
    first = get(server).read_bytes()
    (project / "elsewhere").mkdir()
    monkeypatch.chdir(project / "elsewhere")
    assert get(server).read_bytes() == first


def test_only_what_is_wanted_is_fetched(server):
    names = set(content(get(server, wanted=r"^(?!records100/)")))
    assert names == {path for path in SAME if not path.startswith("records100/")} | {"SHA256SUMS.txt"}
    assert not any("records100" in one.path for one in server.requests)


def test_a_second_run_fetches_nothing_even_after_the_output_was_cleared(server):
    archive = get(server)
    first = archive.read_bytes()
    server.requests.clear()
    archive.unlink()
    (archive.parent / "manifest.json").unlink()
    assert get(server).read_bytes() == first
    assert server.requests == []


def test_a_corrupted_archive_is_fetched_again(server):
    archive = get(server)
    first = archive.read_bytes()
    with archive.open("r+b") as stream:
        stream.seek(50_000)
        stream.write(b"rot")
    assert get(server).read_bytes() == first


def test_another_url_or_filter_is_another_download(server):
    get(server)
    names = set(content(get(server, wanted="LICENSE")))
    assert names == {"LICENSE.txt", "SHA256SUMS.txt"}


def test_a_failure_leaves_no_output_and_the_next_run_fetches_the_rest(server):
    last = sorted(SAME)[-2]
    fail(server, last, Fault(status=503), times=3)
    with pytest.raises(DataError, match="503, 3 times in a row"):
        get(server)
    assert not Path("data/raw/ptb_xl").exists() or list(Path("data/raw/ptb_xl").iterdir()) == []
    tree = Path(".cgdmer/downloads/ptb_xl/tree")
    staged = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()} - {"SHA256SUMS.txt"}
    assert staged
    server.requests.clear()
    get(server)
    assert not staged & {one.path.removeprefix("ptb-xl/1.0.3/") for one in server.gets()}


def test_a_corrupted_staged_file_is_fetched_again(server):
    fail(server, "records500/copy.dat", Fault(status=404), times=1)
    with pytest.raises(DataError, match="404"):
        get(server)
    staged = Path(".cgdmer/downloads/ptb_xl/tree/LICENSE.txt")
    staged.write_bytes(b"CC BY 4.0?")
    assert content(get(server))["LICENSE.txt"] == FILES["LICENSE.txt"]


def test_a_wrong_checksum_names_the_file_and_both_sums(server):
    wrong = SAME | {"LICENSE.txt": b"another"}
    server.files["ptb-xl/1.0.3/SHA256SUMS.txt"] = checksums(wrong)
    with pytest.raises(DataError) as caught:
        get(server)
    for body in (b"another", FILES["LICENSE.txt"]):
        assert hashlib.sha256(body).hexdigest() in str(caught.value)
    assert "LICENSE.txt" in str(caught.value)
    assert not Path("data/raw/ptb_xl/ptb_xl.zip").exists()


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "a/../../evil", "a//b", "C:\\evil", "a\\..\\evil", "./../evil", "a/./b", "nul\x00"]
)
def test_a_path_that_leads_out_is_refused_before_anything_is_fetched(server, path, project):
    server.files["ptb-xl/1.0.3/SHA256SUMS.txt"] = checksums(FILES) + b"0" * 64 + f" {path}\n".encode()
    with pytest.raises(DataError, match=r"line 17: .* is refused"):
        get(server)
    assert len(server.gets()) == 1
    assert not list(project.rglob("*evil*"))


def test_a_login_page_in_place_of_the_list_is_named(server):
    server.files["ptb-xl/1.0.3/SHA256SUMS.txt"] = b"<!DOCTYPE html>\n<html>"
    with pytest.raises(DataError, match=r"SHA256SUMS\.txt, line 1 is '<!DOCTYPE html>'"):
        get(server)


def test_a_filter_that_fits_nothing_is_an_error(server):
    with pytest.raises(DataError, match="none of which matches"):
        get(server, wanted="^nothing/")


def test_a_full_disk_is_refused_before_the_files(server, monkeypatch):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: DISK(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DataError, match=r"needs 0\.00 GB more on the disk"):
        get(server)
    assert [one.path for one in server.gets()] == ["ptb-xl/1.0.3/SHA256SUMS.txt"]


def test_the_size_of_many_files_is_estimated_by_kind():
    files = {f"a/{n}.dat": b"x" * 1000 for n in range(100)} | {f"a/{n}.hea": b"x" * 10 for n in range(70)}
    with serve(files) as server, space.Client(QUICK) as client:
        assert space.estimate(client, server.url, files) == 100_700
        assert len(server.requests) <= 2 * space.SAMPLE
        assert server.gets() == []


def test_a_server_that_tells_no_sizes_is_no_obstacle(server):
    for path in SAME:
        server.heads[f"ptb-xl/1.0.3/{path}"] += [Fault(status=405)]
    assert len(content(get(server))) == len(SAME) + 1


@pytest.mark.parametrize("url", ["file:///etc", "ftp://host/x", "physionet.org/files", "http:///x"])
def test_a_url_that_is_not_http_is_refused(url, project):
    with pytest.raises(ConfigError, match=r"corpora\.ptb_xl\.url"):
        download("ptb_xl", url, "", project / "out", QUICK)


def test_an_output_on_another_disk_is_a_copy(server, monkeypatch):
    first = get(server).read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("cgdmer.acquisition.download.os.link", refuse)
    assert get(server).read_bytes() == first


def test_a_copy_that_a_person_put_into_the_output_is_not_removed(server):
    mine = Path("data/raw/ptb_xl/records500/00001_hr.dat")
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"the only copy")
    with pytest.raises(DataError, match="holds records500"):
        get(server)
    assert mine.read_bytes() == b"the only copy"
    assert server.requests == []


def largest(parts: Path) -> int:
    """Return the size of the largest partial file; a file renamed meanwhile counts as zero bytes."""
    try:
        return max((part.stat().st_size for part in parts.glob("*.part")), default=0)
    except FileNotFoundError:
        return 0


def test_a_run_killed_in_the_middle_is_continued(server, project):
    """SIGKILL a real process in the middle of a slow file; the next run requests only the remaining bytes."""
    big = random.Random(3).randbytes(1_500_000)
    files = SAME | {"zz_big.dat": big}
    server.files["ptb-xl/1.0.3/zz_big.dat"] = big
    server.files["ptb-xl/1.0.3/SHA256SUMS.txt"] = checksums(files)
    fail(server, "zz_big.dat", Fault(throttle=0.03), times=1)
    code = (
        "import sys; from pathlib import Path; from cgdmer.acquisition.download import download;"
        "download('ptb_xl', sys.argv[1], '', Path('data/raw/ptb_xl'))"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code, f"{server.url}/ptb-xl/1.0.3/"]
    parts = project / ".cgdmer/downloads/ptb_xl/parts"
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while largest(parts) < 200_000:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"not killed in the middle: {process.stderr.read().decode()}")
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert list((project / "data/raw/ptb_xl").iterdir()) == []
    server.requests.clear()
    assert content(get(server)) == files | {"SHA256SUMS.txt": checksums(files)}
    asked = [one for one in server.gets() if one.path.endswith("zz_big.dat")]
    assert [one.status for one in asked] == [206]
    assert int(asked[0].range[6:-1]) >= 200_000
    assert len(server.gets()) == 2
