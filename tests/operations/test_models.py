"""Which model a name means, and that asking for an alias creates no database."""

from pathlib import Path

import pytest

from cgdmer.errors import ConfigError
from cgdmer.operations.models import resolve
from cgdmer.tracking import aliases


@pytest.mark.parametrize(
    ("name", "address", "version"),
    [
        ("3", "models:/cgdmer-ecg-encoder/3", "3"),
        ("models:/mine/2", "models:/mine/2", ""),
        ("cgdmer-base", "cgdmer-base", ""),
        ("./champion", "./champion", ""),
        ("data/models/pretrain", "data/models/pretrain", ""),
    ],
)
def test_a_name_that_needs_no_registry(name, address, version):
    model = resolve(name)
    assert (model.address, model.version) == (address, version)


@pytest.mark.parametrize("name", ["champion", "models:/cgdmer-ecg-encoder@champion"])
def test_an_alias_means_the_version_that_it_has_now(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match="no registry here"):
        resolve(name)
    assert not Path("mlflow.db").exists()
    Path("mlflow.db").touch()
    monkeypatch.setattr(aliases, "alias", lambda model, which: aliases.Version("7", "run", {}))
    assert resolve(name).address == "models:/cgdmer-ecg-encoder/7"
    monkeypatch.setattr(aliases, "alias", lambda model, which: None)
    with pytest.raises(ConfigError, match="no alias 'champion'"):
        resolve(name)
