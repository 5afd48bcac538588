"""Settings: strict, typed, and errors that name the near miss."""

from pathlib import Path

import pytest
import yaml

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.settings import profiles

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def content() -> dict:
    return yaml.safe_load((ROOT / "params/demo.yaml").read_text())


def test_shipped_params_load():
    assert settings.load(ROOT / "params.yaml").matrix.sources


@pytest.mark.parametrize("profile", sorted(path.stem for path in (ROOT / "params").glob("*.yaml")))
def test_every_profile_loads_and_states_only_known_keys(profile, content):
    overlay = settings.read(ROOT / "params" / f"{profile}.yaml")
    settings.parse(settings.merge(content, overlay))


def test_demo_profile_states_every_field_so_that_dvc_sees_each(content):
    assert settings.parse(content).model_dump() == content


@pytest.mark.parametrize(
    ("path", "key", "near"),
    [(("train",), "lrr", "lr"), (("corpora", "ptb_xl"), "seedd", "seed"), ((), "modle", "model")],
)
def test_unknown_key_is_refused_with_its_path_and_the_nearest(content, path, key, near):
    section = content
    for part in path:
        section = section[part]
    section[key] = 1
    with pytest.raises(ConfigError, match=f"{key}' is unknown; did you mean '{near}'"):
        settings.parse(content)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("train", "lr", -1.0), ("train", "epochs", "3"), ("masking", "kind", "spacial"), ("masking", "ratio", 1.0)],
)
def test_wrong_value_is_refused_with_its_path(content, section, key, value):
    content[section][key] = value
    with pytest.raises(ConfigError, match=f"{section}.{key}"):
        settings.parse(content)


def test_settings_are_frozen(content):
    with pytest.raises(ValueError, match="frozen"):
        settings.parse(content).train.lr = 1.0


def test_missing_and_malformed_files_say_so(tmp_path):
    with pytest.raises(ConfigError, match="is missing"):
        settings.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        settings.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- a")
    with pytest.raises(ConfigError, match="not a mapping"):
        settings.load(tmp_path / "params.yaml")


def test_yaml_is_only_safe_loaded(tmp_path):
    (tmp_path / "params.yaml").write_text("matrix: !!python/object/apply:os.getcwd []")
    with pytest.raises(ConfigError, match="not YAML"):
        settings.load(tmp_path / "params.yaml")


def test_profile_switches_there_and_back(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    for path in (ROOT / "params").glob("*.yaml"):
        (tmp_path / "params" / path.name).write_text(path.read_text())
    (tmp_path / "params" / "quick.yaml").write_text("train: {epochs: 1}\n")
    monkeypatch.chdir(tmp_path)
    profiles.switch("quick")
    assert settings.load().train.epochs == 1
    profiles.switch("demo")
    assert (tmp_path / "params.yaml").read_text() == (ROOT / "params/demo.yaml").read_text()
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        profiles.switch("quik")


def test_profile_with_an_unknown_key_is_not_written(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    (tmp_path / "params/demo.yaml").write_text((ROOT / "params/demo.yaml").read_text())
    (tmp_path / "params/bad.yaml").write_text("train: {epoch: 1}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"train\.epoch' is unknown; did you mean 'epochs'"):
        profiles.switch("bad")
    assert not (tmp_path / "params.yaml").exists()
