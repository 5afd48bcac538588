"""`cgdmer doctor` finds each problem, states the command that fixes it, and exits with 1."""

import http.server
import shutil
import threading
from collections import namedtuple

import pytest
import yaml

from cgdmer import cli, settings
from cgdmer.commands import doctor


def states(check):
    return [(finding.state, finding.fact, finding.fix) for finding in check]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = settings.read(doctor.Path(__file__).parents[2] / "params/demo.yaml")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_sound_machine_passes_and_a_broken_setting_does_not(tmp_path, capsys):
    assert cli.main(["doctor"]) == 0
    assert "nothing to fix" in capsys.readouterr().out
    (tmp_path / "params.yaml").write_text("matrix: 1")
    assert cli.main(["doctor"]) == 1
    output = capsys.readouterr().out
    assert "BAD" in output
    assert "to fix: edit params.yaml" in output


def test_a_report_encoder_that_is_not_on_this_machine_is_bad(tmp_path):
    assert states(doctor.report_encoder()) == []
    content = settings.read(tmp_path / "params.yaml")
    folder = tmp_path / "encoder"
    folder.mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings.merge(content, {"model": {"text": str(folder)}})))
    ((state, fact, fix),) = states(doctor.report_encoder())
    assert state == "bad"
    assert "lacks files" in fact
    assert "model.safetensors" in fact
    assert fix.startswith("hf download")
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("")
    assert [state for state, *_ in states(doctor.report_encoder())] == ["ok"]


def test_versions_are_held_against_the_constraints(tmp_path):
    (tmp_path / "pins.txt").write_text("numpy==0.0.1\n")
    ((state, fact, fix),) = states(doctor.versions(tmp_path / "pins.txt"))
    assert state == "note"
    assert "tested: 0.0.1" in fact
    assert fix.startswith("pip install -c constraints.txt")


def test_a_missing_package_is_bad(monkeypatch):
    monkeypatch.setattr(doctor, "_required", lambda extra="": ["numpy", "no-such-package"])
    assert ("bad", "not installed: no-such-package", "pip install -c constraints.txt -e .") in states(doctor.versions())


def test_a_light_install_is_noted_and_a_broken_pipeline_is_bad(tmp_path, monkeypatch, capsys):
    libraries = ("dvc", "mlflow", "prefect", "great-expectations")
    monkeypatch.setattr(doctor, "_required", lambda extra="": list(libraries) if extra else [])
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name in libraries else "1")
    (tmp_path / "params.yaml").unlink()
    fix = "pip install 'cgdmer[pipeline]'"
    assert [(state, command) for state, _, command in states(doctor.pipeline())] == [("note", fix)]
    assert cli.main(["doctor"]) == 0
    assert "no params.yaml in this folder: only the pipeline needs one" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name == "mlflow" else "1")
    assert states(doctor.pipeline()) == [("bad", "the pipeline lacks mlflow", fix)]


def test_the_libraries_of_an_extra_are_read_from_the_metadata(monkeypatch):
    lines = [
        "numpy>=2",
        'dvc<4,>=3.67; extra == "pipeline"',
        "mlflow>=3; extra == 'pipeline'",
        'edfio; extra == "formats"',
    ]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: lines)
    assert doctor._required() == ["numpy"]
    assert doctor._required("pipeline") == ["dvc", "mlflow"]


def test_little_room_and_a_folder_that_cannot_be_written_are_bad(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 100))
    assert {state for state, _, _ in states(doctor.disk())} == {"bad"}
    monkeypatch.setattr(doctor, "_writable", lambda path: False)
    assert "cannot be written" in states(doctor.disk())[0][1]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *words):
        """Keep the output quiet."""


def test_servers_are_asked_whether_they_live(monkeypatch):
    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")
        (_, answers, _), (state, silent, fix) = states(doctor.servers())
        assert answers == "MLflow answers at MLFLOW_TRACKING_URI"
        assert (state, silent) == ("bad", "Prefect does not answer at PREFECT_API_URL: HTTP 404")
        assert "prefect server start" in fix
    finally:
        server.shutdown()
        server.server_close()
    assert states(doctor.servers())[0][0] == "bad"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    assert states(doctor.servers())[0][0] == "ok"


def test_a_gpu_that_is_asked_for_and_not_there_is_bad(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert states(doctor.accelerator())[0][0] == "note"
    monkeypatch.setenv("CGDMER_DEVICE", "cuda")
    assert states(doctor.accelerator())[0][0] == "bad"


def test_dvcs_cache_is_looked_at(tmp_path, monkeypatch):
    assert "not a DVC project" in states(doctor.data_cache())[0][1]
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda *words, **named: doctor.subprocess.CompletedProcess([], 251, "", "")
    )
    assert states(doctor.data_cache())[0][0] == "bad"
