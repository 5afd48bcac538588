"""Backup and restore of the local stack: after a total loss, the champion loads and gives the same features."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import chdir, closing
from pathlib import Path

import numpy as np
import pytest
from support import published_project

import cgdmer
from cgdmer import publishing
from cgdmer.errors import ConfigError, DataError
from cgdmer.publishing import groups
from cgdmer.tracking import server
from flows import backup

CHAMPION = "models:/cgdmer-ecg-encoder@champion"


@pytest.mark.long
@pytest.mark.xdist_group("mlflow")
@pytest.mark.timeout(600)
def test_after_a_loss_the_champion_loads_as_before(tmp_path, empty_database, monkeypatch):
    project, kept = tmp_path / "project", tmp_path / "kept.tar"
    project.mkdir()
    published_project.publish(project, empty_database)
    monkeypatch.chdir(project)
    monkeypatch.setattr(groups, "FEWEST", 10)
    published_project.use_database(monkeypatch, project / "mlflow.db")
    publishing.promote()
    signal = np.random.default_rng(0).normal(size=(1, 12, 1000)).astype(np.float32)
    before = cgdmer.load_encoder(CHAMPION).encode(signal)
    runs = len(server.connect().search_runs([server.experiment(server.connect())]))
    assert backup.create(kept) > 5
    Path("mlflow.db").unlink()  # destroy
    shutil.rmtree("mlartifacts")
    assert backup.restore(kept) > 5
    after = cgdmer.load_encoder(CHAMPION).encode(signal)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert len(server.connect().search_runs([server.experiment(server.connect())])) == runs


@pytest.fixture
def project(tmp_path, empty_database):
    """A project with a database and two files."""
    with chdir(tmp_path):
        shutil.copy(empty_database, "mlflow.db")
        for name in ("mlartifacts/1/model.bin", ".cgdmer/monitoring/incoming/history.jsonl"):
            Path(name).parent.mkdir(parents=True)
            Path(name).write_text("content")
        yield tmp_path


def lose():
    Path("mlflow.db").unlink()
    for folder in ("mlartifacts", ".cgdmer"):
        shutil.rmtree(folder, ignore_errors=True)


def test_nothing_is_replaced_by_a_backup_or_a_restore(project):
    backup.create(Path("kept.tar"))
    with pytest.raises(ConfigError, match="exists already"):
        backup.create(Path("kept.tar"))
    with pytest.raises(ConfigError, match=r"mlflow.db, mlartifacts, .cgdmer/monitoring exist"):
        backup.restore(Path("kept.tar"))
    lose()
    assert backup.restore(Path("kept.tar")) == 3
    assert Path("mlartifacts/1/model.bin").read_text() == "content"
    with pytest.raises(ConfigError, match="no mlflow"), chdir(project / "mlartifacts"):
        backup.create(Path("kept.tar"))


@pytest.mark.parametrize("database", backup.DATABASES)
def test_what_a_killed_server_left_beside_its_database_is_not_applied_to_a_restored_one(project, database):
    database.parent.mkdir(parents=True, exist_ok=True)
    write = "import os, sqlite3; file = sqlite3.connect({!r}); file.execute('PRAGMA journal_mode = WAL'); "
    write += "file.execute('CREATE TABLE {}(x)'); file.commit(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", write.format(str(database), "before")], check=False)
    backup.create(Path("kept.tar"))
    subprocess.run([sys.executable, "-c", write.format(str(database), "after")], check=False)
    for path in (*backup.DATABASES, *backup.FOLDERS):
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=f"{database}-wal, {database}-shm exist already"):
        backup.restore(Path("kept.tar"))
    for end in ("wal", "shm"):
        Path(f"{database}-{end}").unlink()
    backup.restore(Path("kept.tar"))
    with closing(sqlite3.connect(database)) as restored:
        tables = {name for (name,) in restored.execute("SELECT name FROM sqlite_master")}
    assert ("before" in tables, "after" in tables) == (True, False)


def test_two_names_of_one_file_are_both_saved(project):
    Path("mlartifacts/2").mkdir()
    Path("mlartifacts/2/model.bin").hardlink_to("mlartifacts/1/model.bin")
    backup.create(Path("kept.tar"))
    lose()
    assert backup.restore(Path("kept.tar")) == 4
    assert [Path(f"mlartifacts/{one}/model.bin").read_text() for one in (1, 2)] == ["content", "content"]


def test_files_may_grow_or_vanish_while_they_are_saved(project, monkeypatch):
    whole, history = backup._files, Path(".cgdmer/monitoring/incoming/history.jsonl")
    measured = tarfile.TarFile.gettarinfo

    def growing(self, *words, **more):
        entry = measured(self, *words, **more)
        with history.open("a") as stream:
            stream.write("appended")
        return entry

    monkeypatch.setattr(tarfile.TarFile, "gettarinfo", growing)
    monkeypatch.setattr(backup, "_files", lambda scratch: [*whole(scratch), ("mlartifacts/gone", Path("gone"))])
    assert backup.create(Path("kept.tar")) == 3
    lose()
    assert backup.restore(Path("kept.tar")) == 3
    assert history.read_text().startswith("content")
    assert not Path("mlartifacts/gone").exists()


def test_a_damaged_backup_restores_nothing(project):
    backup.create(Path("kept.tar"))
    content = Path("kept.tar").read_bytes()
    lose()
    changed = content.replace(b"content", b"confent", 1)
    for damaged in (changed, content[: len(content) // 2], b"nothing"):
        Path("bad.tar").write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            backup.restore(Path("bad.tar"))
        assert not Path("mlflow.db").exists()
        assert not list(project.glob(".restore-*"))
    links = tarfile.TarInfo("mlartifacts/link")
    links.type, links.linkname = tarfile.SYMTYPE, "/etc"
    for member in (tarfile.TarInfo("../outside"), tarfile.TarInfo("/tmp/outside"), links):
        with tarfile.open("evil.tar", "w") as tar:
            tar.addfile(member)
        with pytest.raises(DataError, match="no file of a backup"):
            backup.restore(Path("evil.tar"))
        assert not Path("mlartifacts").exists()


@pytest.mark.parametrize("name", ["two\nlines", "a\rb", "a\u2028b", "a\\b", os.fsdecode(b"latin-\xe4"), "two  spaces"])
def test_any_name_of_a_file_can_be_restored(project, name):
    Path("mlartifacts", name).write_text("named")
    backup.create(Path("kept.tar"))
    lose()
    assert backup.restore(Path("kept.tar")) == 4
    assert Path("mlartifacts", name).read_text() == "named"


def test_the_sums_are_those_of_sha256sum(project):
    Path("mlartifacts/two\nlines").write_text("named")
    backup.create(Path("kept.tar"))
    subprocess.run(["tar", "-xf", "kept.tar", "--one-top-level=there"], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", backup.SUMS], cwd="there", check=True)


def test_a_full_disk_is_named_and_not_taken_for_a_damaged_backup(project, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    backup.create(Path("kept.tar"))
    lose()
    with monkeypatch.context() as patched, pytest.raises(DataError, match="no space is left on its disk") as refused:
        patched.setattr(shutil, "copyfileobj", full)
        backup.restore(Path("kept.tar"))
    assert "older one" not in str(refused.value)
    assert not list(project.glob(".restore-*"))
    assert backup.restore(Path("kept.tar")) == 3


def test_a_database_that_cannot_be_copied_is_one_message(project, capsys):
    Path("mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(4096))
    assert backup.main(["create", "kept.tar"]) == DataError.code
    assert "mlflow.db cannot be copied to" in capsys.readouterr().err
    assert not Path("kept.tar").exists()
