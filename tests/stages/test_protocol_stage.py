"""Stage protocol: none, a local folder or the pinned commit; files are always checked."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from support.scripted_server import serve

from cgdmer import paths
from cgdmer import protocol as published
from cgdmer.errors import ConfigError, DataError
from cgdmer.settings import Protocol
from cgdmer.stages.protocol import protocol as stage


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Three stand-ins for the published files, with their checksums in the table."""

    files = {
        "merl_splits/icbeb/icbeb_train.csv": b"a\n",
        "merl_splits/icbeb/icbeb_val.csv": b"b\n",
        "CKEPE_prompt.json": b"{}",
    }
    table = {path: hashlib.sha256(body).hexdigest() for path, body in files.items()}
    monkeypatch.setattr(published, "PUBLISHED", table)
    return files


def way() -> str:
    return json.loads((paths.PROTOCOL / "manifest.json").read_text())["way"]


def written() -> dict[str, bytes]:
    files = {path.relative_to(paths.PROTOCOL).as_posix(): path for path in paths.PROTOCOL.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != "manifest.json"}


def test_none_is_said_loudly_and_leaves_only_the_manifest(caplog):
    paths.PROTOCOL.mkdir(parents=True)
    (paths.PROTOCOL / "CKEPE_prompt.json").write_text("{}")
    stage(protocol=Protocol(way="none"))
    assert way() == "none"
    assert written() == {}
    assert not published.available(paths.PROTOCOL)
    assert "not comparable" in caplog.text


def test_local_copies_the_published_files_and_nothing_else(project, small, monkeypatch):
    for name, body in {**small, "README.md": b"more"}.items():
        (project / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "root" / name).write_bytes(body)
    monkeypatch.setenv("CGDMER_PROTOCOL_ROOT", str(project / "root"))
    stage(protocol=Protocol(way="local"))
    assert (way(), written()) == ("local", small)
    (project / "root" / "CKEPE_prompt.json").write_bytes(b"{ }")
    with pytest.raises(DataError, match="not the published file"):
        stage(protocol=Protocol(way="local"))
    assert written() == small


def test_local_without_a_root_says_what_to_export():
    with pytest.raises(ConfigError, match="CGDMER_PROTOCOL_ROOT is not set"):
        stage(protocol=Protocol(way="local"))


def test_download_takes_upstream_paths_and_fetches_once(small):
    with serve({f"raw/{published.upstream(path)}": body for path, body in small.items()}) as server:
        stage(protocol=Protocol(way="download", url=f"{server.url}/raw"))
        assert (way(), written()) == ("download", small)
        assert sorted(one.path for one in server.requests) == [
            "raw/finetune/data_split/icbeb/icbeb_train.csv",
            "raw/finetune/data_split/icbeb/icbeb_val.csv",
            "raw/zeroshot/CKEPE_prompt.json",
        ]
        shutil.rmtree(paths.PROTOCOL)
        stage(protocol=Protocol(way="download", url=f"{server.url}/raw"))
        assert len(server.requests) == 3
        assert written() == small


def test_download_refuses_a_file_that_is_not_the_pinned_one(small):
    files = {f"{published.upstream(path)}": body for path, body in small.items()}
    with serve(files | {"zeroshot/CKEPE_prompt.json": b"{'edited'}"}) as server:
        with pytest.raises(DataError, match=r"CKEPE_prompt\.json: sha256 is"):
            stage(protocol=Protocol(way="download", url=server.url))
        assert not (paths.PROTOCOL / "CKEPE_prompt.json").exists()


def test_the_pinned_address_is_https_and_names_the_whole_commit():
    assert published.URL.startswith("https://")
    assert len(published.URL.rsplit("/", 1)[1]) == 40


def test_the_published_files_pass(protocol, monkeypatch):
    monkeypatch.setenv("CGDMER_PROTOCOL_ROOT", str(protocol))
    stage(protocol=Protocol(way="local"))
    assert sorted(written()) == sorted(published.PUBLISHED)
    published.verify(paths.PROTOCOL)
