"""Installed packages: which are missing, which differ from the tested versions."""

from cgdmer import cli
from cgdmer.commands.doctor import installation


def test_versions_are_held_against_the_constraints(tmp_path, states):
    (tmp_path / "pins.txt").write_text("numpy==0.0.1\n")
    ((state, fact, fix),) = states(installation.versions(tmp_path / "pins.txt"))
    assert state == "note"
    assert "tested: 0.0.1" in fact
    assert fix.startswith("pip install -c constraints.txt")


def test_a_missing_package_is_bad(monkeypatch, states):
    monkeypatch.setattr(installation, "required", lambda extra="": ["numpy", "no-such-package"])
    assert ("bad", "not installed: no-such-package", "pip install -c constraints.txt -e .") in states(
        installation.versions()
    )


def test_a_light_install_is_noted_and_a_broken_pipeline_is_bad(tmp_path, monkeypatch, capsys, states):
    libraries = ("dvc", "mlflow", "prefect", "great-expectations")
    monkeypatch.setattr(installation, "required", lambda extra="": list(libraries) if extra else [])
    monkeypatch.setattr(installation, "installed", lambda name: None if name in libraries else "1")
    (tmp_path / "params.yaml").unlink()
    fix = "pip install 'cgdmer[pipeline]'"
    assert [(state, command) for state, _, command in states(installation.pipeline())] == [("note", fix)]
    assert cli.main(["doctor"]) == 0
    assert "no params.yaml in this folder: only the pipeline needs one" in capsys.readouterr().out
    monkeypatch.setattr(installation, "installed", lambda name: None if name == "mlflow" else "1")
    assert states(installation.pipeline()) == [("bad", "the pipeline lacks mlflow", fix)]


def test_the_libraries_of_an_extra_are_read_from_the_metadata(monkeypatch):
    lines = [
        "numpy>=2",
        'dvc<4,>=3.67; extra == "pipeline"',
        "mlflow>=3; extra == 'pipeline'",
        'edfio; extra == "formats"',
    ]
    monkeypatch.setattr(installation.metadata, "requires", lambda name: lines)
    assert installation.required() == ["numpy"]
    assert installation.required("pipeline") == ["dvc", "mlflow"]
