"""The parameters `profile` and `overrides` of a deployment: what the form takes, and which settings they give."""

import shutil
from pathlib import Path

import pytest
import yaml
from prefect.utilities.schema_tools.validation import ValidationError, validate

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.settings import profiles
from flows import pipeline, run_names, run_settings

ROOT = Path(__file__).resolve().parents[2]
FORM = pipeline.cgdmer.parameters.model_dump()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"overrides": {}},
        {"profile": None},
        {"profile": "paper", "overrides": {"train.epochs": 4, "train.text_lr": None, "corpora.csn.records": 50}},
        {"overrides": {"probe.C": [0.1, 1.0], "train.compile": True, "signal.fs": 250.0}},
    ],
)
def test_the_server_takes_what_settings_take(given):
    validate(given, FORM, raise_on_error=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profile": "papre"}, "'papre' is not one of"),
        ({"profile": "folds"}, "is not one of"),
        ({"overrides": {"train.epochs": "four"}}, "'four' is not of type 'integer'"),
        ({"overrides": {"train.epochs": 0}}, "less than the minimum of 1"),
        ({"overrides": {"train.epoch": 4}}, "'train.epoch' is not one of"),
        ({"overrides": {"train": {"epochs": 4}}}, "'train' is not one of"),
        ({"overrides": {"corpora.nowhere.records": 9}}, "is not one of"),
        ({"overrides": [1]}, "not of type 'object'"),
    ],
)
def test_the_server_refuses_what_settings_refuse(given, message):
    with pytest.raises(ValidationError, match=message):
        validate(given, FORM, raise_on_error=True)


def test_the_settings_of_every_profile_can_be_given_in_the_form(monkeypatch):
    monkeypatch.chdir(ROOT)
    known = run_settings.schemas()
    for name in ("demo", "paper", "no_disentanglement"):
        values = {".".join(path): value for path, value in profiles.flat(profiles.read(name)).items()}
        lost = [path for path in values if path not in known]
        assert all(path.startswith("embed.control_seeds.") for path in lost)  # is set as a whole
        validate({"overrides": {path: values[path] for path in values if path in known}}, FORM, raise_on_error=True)


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "params", tmp_path / "params")
    content = settings.merge(settings.read(ROOT / "params/demo.yaml"), {"train": {"seed": 99}})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)


def test_overrides_lie_over_params_yaml_or_over_a_profile(project):
    own = run_settings.content(None, {"train.epochs": 3, "corpora.csn.records": 50})
    assert (own["train"]["seed"], own["train"]["epochs"], own["corpora"]["csn"]["records"]) == (99, 3, 50)
    paper = run_settings.content("paper", {"train.epochs": 3})
    assert (paper["train"]["seed"], paper["model"]["width"]) == (7, 768)
    assert run_settings.content("paper", None) == profiles.read("paper")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"train.epoch": 4}, r"no setting is called 'train.epoch'; did you mean 'train.epochs'"),
        ({"model.heads": 5}, "model.heads"),  # does not divide the width, which no form can know
        ({"train.epochs": 0}, "train.epochs"),
    ],
)
def test_what_the_form_cannot_know_is_refused_when_the_run_starts(project, overrides, message):
    with pytest.raises(ConfigError, match=message):
        run_settings.content(None, overrides)


def test_a_run_is_named_by_its_settings(project, monkeypatch):
    monkeypatch.setattr(run_names, "commit", lambda: "3f2a1c8")
    monkeypatch.setattr(run_names, "profile", lambda: "demo")
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__NAME", "benchmark")
    given = {"profile": None, "overrides": {}}
    monkeypatch.setattr(run_names.runtime.flow_run, "parameters", given, raising=False)
    assert run_names.of_this_run() == "benchmark demo 3f2a1c8"
    given["overrides"] = {"train.lr": 0.1, "train.epochs": 4}
    assert run_names.of_this_run() == "benchmark demo, train.epochs=4, train.lr=0.1, 3f2a1c8"
    given |= {"profile": "paper", "overrides": {}}
    assert run_names.of_this_run() == "benchmark paper 3f2a1c8"
    assert len(run_settings.label("paper", {"probe.C": list(range(100))})) == run_settings.LONGEST
