"""The registered encoder behind MLflow's scoring server."""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import example_report
from support.server_process import PATIENCE, ServerProcess, answers, free_port, server_process, tail

import cgdmer
from cgdmer import paths
from cgdmer.signals import LEADS, canonical
from cgdmer.tracking import registry

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]


@pytest.mark.server
def test_a_served_encoder_answers_a_request_of_a_recording(project, tmp_path):
    port = free_port()
    command = [Path(sys.executable).with_name("mlflow"), "models", "serve", "-m", f"models:/{registry.ECG}/1",
               "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]  # fmt: skip
    variables = {
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "240",
        "PATH": f"{command[0].parent}:{os.environ['PATH']}",
    }  # fmt: skip
    signal = np.random.default_rng(0).normal(size=(2, 12, 5000)).round(3)
    order = [*LEADS[6:], *LEADS[:6]]
    swapped = np.concatenate([signal[:, 6:], signal[:, :6]], 1)
    with server_process(command, tmp_path / "serve.log", os.environ | variables) as running:
        running.wait(lambda: answers(f"http://127.0.0.1:{port}/ping"))
        first = ask(running, port, {"inputs": signal.tolist(), "params": {"fs": 500.0}})
        second = ask(running, port, {"inputs": swapped.tolist(), "params": {"fs": 500.0, "leads": order}})
        records = [signal[0].tolist(), signal[0, :, :4000].tolist(), (1e5 * signal[1]).tolist()]
        mixed = ask(running, port, {"inputs": records, "params": {"fs": 500.0}})
        refusal = refused(port, {"inputs": signal.tolist()})
    assert mixed["valid"] == [True, True, False]
    assert "mV" in mixed["reason"][2]
    assert mixed["pooled"][2] is None
    assert np.allclose(mixed["pooled"][0], first["pooled"][0], atol=1e-4)
    assert "without a sampling rate" in refusal["message"]
    assert set(refusal) == {"error_code", "message", "sqlstate", "error_class"}
    form = example_report.SIGNAL
    rows = [canonical(one.astype(np.float32), 500.0, LEADS, form, form.seconds).signal for one in signal]
    expected = cgdmer.load_encoder(paths.MODEL).encode(np.stack(rows).astype(np.float32) / 1000)
    for answer in (first, second):
        assert all(np.allclose(answer[name], expected[name], atol=1e-4) for name in expected)


@pytest.mark.long
@pytest.mark.server
def test_the_projects_own_command_needs_no_activated_environment(project, tmp_path):
    """`mlflow models serve` looks for uvicorn on the path; `cgdmer serve` is one process."""
    port = free_port()
    command = [sys.executable, "-m", "cgdmer", "serve", f"models:/{registry.ECG}/1", "--port", str(port)]
    variables = os.environ | {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    with server_process(command, tmp_path / "serve.log", variables) as running:
        running.wait(lambda: answers(f"http://127.0.0.1:{port}/ping"))
        signal = np.random.default_rng(0).normal(size=(1, 12, 5000)).round(3)
        answer = ask(running, port, {"inputs": signal.tolist(), "params": {"fs": 500.0}})
    assert answer["valid"] == [True]


def refused(port: int, body: dict[str, object]) -> dict[str, str]:
    """Post a request that the server refuses with status 400, and return its answer."""
    content, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", content, kind)
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        urllib.request.urlopen(request, timeout=PATIENCE)
    answer: dict[str, str] = json.loads(caught.value.read())
    return answer


def ask(running: ServerProcess, port: int, body: dict[str, object]) -> dict[str, list[Any]]:
    """Post a request and return its predictions; a failure shows the server's output."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            predictions: dict[str, list[Any]] = json.loads(answer.read())["predictions"]
            return predictions
    except OSError as error:
        detail = error.read()[:2000] if isinstance(error, urllib.error.HTTPError) else error
        raise AssertionError(f"{detail!r}{tail(running.output)}") from error
