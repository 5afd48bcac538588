"""A project that was moved or copied does not write into the artifacts of the original."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from support.published_project import SETTINGS, use_database

import cgdmer
from cgdmer import publishing
from cgdmer.errors import ConfigError, DataError
from cgdmer.tracking import delivery, relocation, server
from flows import serving

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]
MODEL = "models:/cgdmer-ecg-encoder/1"


@pytest.fixture
def copied(published, tmp_path, monkeypatch) -> Path:
    """A copy of a published project, in which the original's artifacts can be told from its own."""
    original, _ = published
    folder = tmp_path / "copy"
    shutil.copytree(original, folder)
    monkeypatch.chdir(folder)
    use_database(monkeypatch, folder / "mlflow.db")
    return folder


def test_a_copy_is_refused_until_its_store_names_its_own_artifacts(copied, published, capsys):
    original, first = published
    with pytest.raises(ConfigError, match="the project was moved or copied") as caught:
        publishing.publish(SETTINGS, checked=True)
    assert str(original / "mlartifacts") in str(caught.value)
    with pytest.raises(ConfigError, match="moved or copied"):
        serving.start()
    assert relocation.main() == 0
    assert "addresses of mlflow.db changed" in capsys.readouterr().out
    assert str(original) not in addresses(copied)
    assert publishing.publish(SETTINGS, checked=True) == first
    shutil.rmtree(copied / "mlartifacts/models")
    with pytest.raises(ConfigError, match="cannot load"):
        cgdmer.load_encoder(MODEL)  # it reads its own folder, and not the original's
    run = server.connect().get_run(first.run).info
    assert run.artifact_uri.startswith((copied / "mlartifacts").as_uri())
    assert relocation.relocate() == 0


def addresses(folder: Path) -> str:
    """Return all addresses in a store, joined."""
    database = sqlite3.connect(folder / "mlflow.db")
    try:
        pairs = [f"SELECT {column} FROM {table}" for table, column in relocation.ADDRESSES]
        return " ".join(str(row[0]) for query in pairs for row in database.execute(query))
    finally:
        database.close()


def test_a_project_where_it_was_made_is_at_home(here):
    delivery._find_or_create(server.connect(), "name")
    assert relocation.elsewhere() == []
    relocation.require_at_home()


def test_a_shared_store_in_another_folder_is_left_alone(here, published, monkeypatch):
    original, _ = published
    use_database(monkeypatch, original / "mlflow.db")
    assert server.experiment(server.connect())


def test_without_a_store_there_is_nothing_to_relocate(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    relocation.require_at_home()
    with pytest.raises(DataError, match=r"mlflow\.db is missing"):
        relocation.relocate()
    assert relocation.main() == 3
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_left_to_mlflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_text("no database at all, but long enough to be read as one")
    relocation.require_at_home()
