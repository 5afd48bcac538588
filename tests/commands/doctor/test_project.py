"""The settings, the report encoder, DVC's cache and the servers; and the command as a whole."""

import http.server
import subprocess
import threading

import yaml

from cgdmer import cli, settings
from cgdmer.commands.doctor import project as checks


def test_a_sound_machine_passes_and_a_broken_setting_does_not(tmp_path, capsys):
    assert cli.main(["doctor"]) == 0
    assert "nothing to fix" in capsys.readouterr().out
    (tmp_path / "params.yaml").write_text("matrix: 1")
    assert cli.main(["doctor"]) == 1
    output = capsys.readouterr().out
    assert "BAD" in output
    assert "to fix: edit params.yaml" in output


def test_a_misspelt_encoder_in_the_matrix_is_bad(tmp_path, states):
    content = settings.read(tmp_path / "params.yaml")
    content["matrix"]["probed"].append("handcraftd")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    state, fact, fix = states(checks.configuration())[0]
    assert (state, fix) == ("bad", "edit params.yaml")
    assert "'matrix.probed' names 'handcraftd', which is no encoder; did you mean 'handcrafted'?" in fact


def test_a_report_encoder_that_is_not_on_this_machine_is_bad(tmp_path, states):
    assert states(checks.report_encoder()) == []
    content = settings.read(tmp_path / "params.yaml")
    folder = tmp_path / "encoder"
    folder.mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings.merge(content, {"model": {"text": str(folder)}})))
    ((state, fact, fix),) = states(checks.report_encoder())
    assert state == "bad"
    assert "lacks files" in fact
    assert "model.safetensors" in fact
    assert fix.startswith("hf download")
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("")
    assert [state for state, *_ in states(checks.report_encoder())] == ["ok"]


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *words):
        """Keep the output quiet."""


def test_servers_are_asked_whether_they_live(monkeypatch, states):
    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")
        (_, answers, _), (state, silent, fix) = states(checks.servers())
        assert answers == "MLflow answers at MLFLOW_TRACKING_URI"
        assert (state, silent) == ("bad", "Prefect does not answer at PREFECT_API_URL: HTTP 404")
        assert "prefect server start" in fix
    finally:
        server.shutdown()
        server.server_close()
    assert states(checks.servers())[0][0] == "bad"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    assert states(checks.servers())[0][0] == "ok"


def test_dvcs_cache_is_looked_at(tmp_path, monkeypatch, states):
    assert "not a DVC project" in states(checks.data_cache())[0][1]
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(subprocess, "run", lambda *words, **named: subprocess.CompletedProcess([], 251, "", ""))
    assert states(checks.data_cache())[0][0] == "bad"
